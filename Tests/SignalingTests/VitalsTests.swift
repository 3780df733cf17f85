import SystemPackage
import Testing

@testable import Jobs
@testable import Signaling
@testable import Volume
@testable import Worker

@Suite struct VitalsTests {
  private func status(jobs: String, workspaces: String) throws -> WorkerStatus {
    var status = WorkerStatus(.idle, of: try #require(WorkerID("worker-01", host: "")))
    Vitals.measured(jobs: .init(jobs), workspaces: .init(workspaces)).write(to: &status)
    return status
  }

  @Test func figuresAreThoseOfThisHost() throws {
    let status = try status(jobs: "/tmp", workspaces: "/")
    #expect(try #require(status.load) >= 0)
    #expect(try #require(status.memory) > 1 << 20)
    #expect(try #require(status.memoryFree) > 1 << 20)
    #expect(try #require(status.jobsFree) > 0)
    #expect(try #require(status.workspacesFree) > 0)
  }

  @Test func figureThatCannotBeHadIsLeftOut() throws {
    let status = try status(jobs: "/nowhere", workspaces: "/")
    #expect(status.jobsFree == nil)
    #expect(status.workspacesFree != nil)
  }
}
