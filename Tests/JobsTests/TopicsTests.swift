import Testing

@testable import Jobs

@Suite struct TopicsTests {
  @Test func liesBesideTheResultsTopic() throws {
    let id = try JobID("job_1")
    let topics = Topics(results: "jobs/results")
    #expect(topics.result(of: id) == "jobs/results/job_1")
    #expect(topics.events(of: id) == "jobs/events/job_1")
    #expect(topics.rejected == "jobs/rejected")
  }

  @Test func followsAnotherResultsTopic() throws {
    let id = try JobID("job_1")
    let deep = Topics(results: "site/a/out")
    #expect(deep.result(of: id) == "site/a/out/job_1")
    #expect(deep.events(of: id) == "site/a/events/job_1")
    #expect(deep.rejected == "site/a/rejected")
    let flat = Topics(results: "results")
    #expect(flat.events(of: id) == "events/job_1")
    #expect(flat.rejected == "rejected")
  }

  @Test func namesOfSessionsAreStableAndNoOtherWorkers() {
    let mark = SessionName.mark(of: "$share/workers/jobs/pending")
    #expect(mark == "891c2a9f")
    #expect(SessionName.intake(of: "w", mark) == "w~\(mark)")
    #expect(SessionName.intake(of: "w-control", mark) == "w-control~\(mark)")
    #expect(SessionName.intake(of: "w-control", nil) == "w-control:intake")
    #expect(WorkerID("w~\(mark)", host: "") == nil)
  }
}
