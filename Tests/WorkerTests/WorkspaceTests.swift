import FileTree
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume
@testable import Worker

struct WorkspaceTests {
  @Test func stagedIsEverythingButWhatIsReserved() async throws {
    let volume = try VolumeFixture()
    let folder = try volume.job("job")
    for name in ["results", "results.previous", "src"] {
      try DurableFile.makeFolder(folder.path.appending(name))
      try volume.write(name, folder.path.appending(name).appending("file"))
    }
    // The log shows that a worker made the folder.
    try volume.write("", folder.path.appending("results").appending("step_0.log"))
    let workspace = try WorkspacesDirectory(volume.root.appending("workspaces")).make(try JobID("job"))
    let snapshot = try workspace.stage(folder)
    #expect(snapshot.skipped.isEmpty)
    #expect(try volume.names(workspace.path) == ["job.json", "src"])
    try volume.write("changed", workspace.path.appending("src").appending("file"))
    let changes = try workspace.changes(since: snapshot, folder)
    let results = try ResultsFolder.prepare(in: folder)
    #expect(try results.export(changes, from: workspace.descriptor).files.map { $0.path.text } == ["src/file"])
    #expect(volume.text(folder.path.appending("results").appending("src").appending("file")) == "changed")
    #expect(volume.text(folder.path.appending("src").appending("file")) == "src")
    try workspace.purge()
  }

  @Test func stagingThatFailsSaysFromWhereToWhere() async throws {
    let volume = try VolumeFixture()
    let folder = try volume.job("job")
    let workspace = try WorkspacesDirectory(volume.root.appending("workspaces")).make(try JobID("job"))
    // A folder is in the place of a file.
    try DurableFile.makeFolder(workspace.path.appending("job.json"))
    let failure = #expect(throws: JobFailure.self) { _ = try workspace.stage(folder) }
    #expect(failure?.phase == .stage)
    #expect(failure?.description.contains("staging \(folder.path) to \(workspace.path): ") == true)
    #expect(failure?.description.contains("job.json") == true)
    try workspace.purge()
  }
}
