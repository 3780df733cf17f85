import Testing

@testable import Client
@testable import Jobs
@testable import Volume

@Suite struct JobListingTests {
  @Test func jobsComeByStateAndTheFinishedByTheirEnd() throws {
    let volume = try Volume()
    try volume.write("{}", "jobs/new/job.json")
    try volume.result("early", end: "2026-01-01T00:00:00.000Z")
    try volume.result("late", .failed, end: "2026-01-02T00:00:00.000Z")
    try volume.claim("runs", attempt: 1, worker: "a")
    try volume.claim("runs", attempt: 2, worker: "b")
    try volume.write("x", "jobs/runs/results/step_0.log")
    try volume.write("x", "jobs/runs/results/step_2.log")
    let deferred = "jobs/.worker/waiting/%24share%2Fg%2Fjobs%2Fpending/1767225600000000000-waits.json"
    try volume.write("{}", deferred)
    // Entries that are not jobs: files, hidden folders, invalid names.
    try volume.write("", "jobs/KILLSWITCH")
    try volume.write("", "jobs/.submit-x/job.json")
    try volume.write("", "jobs/not an id/job.json")

    let jobs = try JobListing(volume.directory).jobs()
    #expect(jobs.map(\.id.text) == ["runs", "waits", "new", "late", "early"])
    #expect(jobs.map(\.state) == [.running, .queued, .pending, .finished, .finished])
    #expect(jobs[0].workerId == "b" && jobs[0].attempt == 2 && jobs[0].step == 2)
    #expect(jobs[1].filter == "$share/g/jobs/pending" && jobs[1].since == "2026-01-01T00:00:00.000Z")
    #expect(jobs[3].status == .failed && jobs[3].exitCode == 1 && jobs[3].durationMs == 5)
  }

  @Test func jobThatIsRunAgainIsRunning() throws {
    let volume = try Volume()
    try volume.result("job")
    try volume.write("x", "jobs/job/results/step_4.log")
    try volume.claim("job", attempt: 1)
    let job = try #require(try JobListing(volume.directory).job(try JobID("job")))
    // The log belongs to the run before.
    #expect(job.state == .running && job.step == nil && job.status == nil)
  }

  @Test func jobThatTheVolumeDoesNotKnowIsNone() throws {
    let job = try JobListing(try Volume().directory).job(try JobID("job"))
    #expect(job?.id == nil)
  }
}
