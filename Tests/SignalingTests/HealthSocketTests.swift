import Foundation
import SystemPackage
import Testing

@testable import Jobs
@testable import Signaling
@testable import Volume

@Suite struct HealthSocketTests {
  private func withFolder(_ body: (FilePath, WorkerID) async throws -> Void) async throws {
    let folder = FilePath(FileManager.default.temporaryDirectory.path).appending("health-\(UUID().uuidString)")
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    // The folder may have the inode number of one that another test has removed.
    let name = "\(UInt64.random(in: 0 ... .max))" + String(repeating: "w", count: 100)
    try await body(folder, try #require(WorkerID(name, host: "")))
  }

  private func report(_ state: WorkerStatus.State, _ id: WorkerID) -> HealthReport {
    HealthReport(status: WorkerStatus(state, of: id), connected: true)
  }

  @Test func everyoneWhoAsksIsAnswered() async throws {
    try await withFolder { folder, id in
      let socket = try HealthSocket(id, workspaces: folder)
      try socket.listen { report(.busy, id) }
      for _ in 0..<20 {
        let other = try HealthSocket(id, workspaces: folder)
        #expect(other.ask(within: .seconds(20)) == report(.busy, id))
      }
      #expect(throws: Errno.addressInUse) { try HealthSocket(id, workspaces: folder).listen { report(.idle, id) } }
    }
  }

  @Test func workerOfAnotherNameOrFolderIsAnother() async throws {
    try await withFolder { folder, id in
      let socket = try HealthSocket(id, workspaces: folder)
      try socket.listen { report(.idle, id) }
      let other = try #require(WorkerID("\(id)x", host: ""))
      #expect(try HealthSocket(other, workspaces: folder).ask(within: .milliseconds(50)) == nil)
      #expect(try HealthSocket(id, workspaces: "/").ask(within: .milliseconds(50)) == nil)
    }
  }

  @Test func folderThatIsNotThereIsNamed() throws {
    let id = try #require(WorkerID("w", host: ""))
    #expect(throws: VolumeError.self) { try HealthSocket(id, workspaces: "/nowhere") }
  }
}
