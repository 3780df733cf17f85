import FileTree
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

struct ResultsFolderTests {
  private let volume: VolumeFixture
  private let folder: JobFolder
  private var results: FilePath { folder.path.appending("results") }

  init() throws {
    volume = try VolumeFixture()
    folder = try volume.job("job")
  }

  private func result(_ attempt: Int = 1) throws -> JobResult {
    let timing = JobTiming(start: "2026-01-31T09:30:00.125Z", end: "2026-01-31T09:30:00.125Z", durationMs: 0)
    return JobResult(
      jobId: try JobID("job"), status: .success, exitCode: 0, timing: timing, steps: [], attempt: attempt,
      workerId: "w", workerVersion: "1", host: "h")
  }

  @Test func emptyFolderIsUsedAsItIs() throws {
    try DurableFile.makeFolder(results, mode: 0o700)
    var before = stat()
    #expect(stat(results.string, &before) == 0)
    try ResultsFolder.prepare(in: folder).write(result())
    var after = stat()
    #expect(stat(results.string, &after) == 0)
    #expect(after.st_ino == before.st_ino && after.st_mode == before.st_mode)
    #expect(try volume.names(folder.path) == ["job.json", "results"])
  }

  @Test func earlierResultsAreMovedAsideWhole() throws {
    for attempt in 1...3 {
      let results = try ResultsFolder.prepare(in: folder)
      try volume.write("\(attempt)", self.results.appending("attempt.txt"))
      try results.write(result(attempt))
    }
    #expect(try volume.names(folder.path) == ["job.json", "results", "results.previous"])
    #expect(volume.text(results.appending("attempt.txt")) == "3")
    #expect(try folder.storedResult()?.attempt == 3)
    let previous = folder.path.appending("results.previous")
    #expect(volume.text(previous.appending("attempt.txt")) == "2")
    #expect(try volume.names(previous) == ["attempt.txt", "result.json"])
  }

  @Test func resultAppearsWholeUnderItsName() throws {
    let results = try ResultsFolder.prepare(in: folder)
    #expect(try !volume.names(self.results).contains("result.json"))
    try results.write(result())
    #expect(try volume.names(self.results) == ["result.json"])
    let bytes = try #require(try DurableFile.read(self.results.appending("result.json")))
    #expect(try bytes == result().encoded())
  }

  /// A frozen worker that thaws writes to its own folder, wherever that was moved.
  @Test func laterAttemptIsNotDisturbedByAnEarlierOne() throws {
    let first = try ResultsFolder.prepare(in: folder)
    let log = try first.createLog(of: 0)
    let second = try ResultsFolder.prepare(in: folder)
    try second.write(result(2))
    try first.write(result(1))
    #expect(try folder.storedResult()?.attempt == 2)
    #expect(try volume.names(results) == ["result.json"])
    #expect(
      try volume.names(folder.path.appending("results.previous")) == ["result.json", "step_0.log"])
    withExtendedLifetime(log) {}
  }

  @Test(arguments: ["file", "link"]) func resultsThatAreNoFolderAreRefused(_ kind: String) throws {
    try volume.write("mine", volume.root.appending("target"))
    if kind == "file" { try volume.write("mine", results) } else { symlink("/tmp", results.string) }
    let failure = #expect(throws: JobFailure.self) { try ResultsFolder.prepare(in: folder) }
    #expect(failure?.phase == .stage)
    #expect(failure?.description.contains("\(results) cannot be used for results: ") == true)
    #expect(try volume.names(folder.path) == ["job.json", "results"])
  }

  @Test func artifactsWithNamesOfTheWorkerAreStoredBeside() async throws {
    let results = try ResultsFolder.prepare(in: folder)
    let workspace = try WorkspacesDirectory(volume.root.appending("workspaces")).make(try JobID("job"))
    let snapshot = try workspace.stage(folder)
    try DurableFile.makeFolder(workspace.path.appending("sub"))
    try DurableFile.makeFolder(workspace.path.appending("_artifacts"))
    let names = [
      "result.json", "step_0.log", "step_12.log", "step_x.log", "sub/result.json", "_artifacts/a",
      ".result.json.reserved",
    ]
    for name in names { try volume.write(name, workspace.path.pushing(FilePath(name))) }
    let changes = try workspace.changes(since: snapshot, folder)
    let export = try results.export(changes, from: workspace.descriptor)
    let stored = Dictionary(uniqueKeysWithValues: export.files.map { ($0.path.text, $0.storedAs?.text) })
    #expect(
      stored == [
        "result.json": "_artifacts/result.json", "step_0.log": "_artifacts/step_0.log",
        "step_12.log": "_artifacts/step_12.log", "step_x.log": nil, "sub/result.json": nil,
        "_artifacts/a": "_artifacts/_artifacts/a", ".result.json.reserved": "_artifacts/.result.json.reserved",
      ])
    for (path, place) in stored {
      #expect(volume.text(self.results.pushing(FilePath(place ?? path ?? ""))) == path)
    }
    try workspace.purge()
  }

  @Test func removedFolderIsMadeAgainWithItsLogs() throws {
    let results = try ResultsFolder.prepare(in: folder)
    let log = try results.createLog(of: 0)
    try FileManager.default.removeItem(atPath: self.results.string)
    #expect(try results.restore([0: log])?.path.text == "results")
    try results.write(result())
    #expect(try volume.names(self.results) == ["result.json", "step_0.log"])
    #expect(try volume.names(folder.path) == ["job.json", "results"])
  }

  @Test func whatStandsInPlaceOfARemovedFolderGivesWay() throws {
    let results = try ResultsFolder.prepare(in: folder)
    let log = try results.createLog(of: 0)
    try FileManager.default.removeItem(atPath: self.results.string)
    try volume.write("", self.results)
    _ = try results.restore([0: log])
    #expect(try volume.names(self.results).contains("step_0.log"))
  }

  @Test(arguments: ["link", "folder", "file"]) func folderThatWasMovedAwayIsMadeAgain(_ stand: String) throws {
    let results = try ResultsFolder.prepare(in: folder)
    let log = try results.createLog(of: 0)
    let away = volume.root.appending("away")
    #expect(rename(self.results.string, away.string) == 0)
    switch stand {
    case "link": symlink(away.string, self.results.string)
    case "folder": try DurableFile.makeFolder(self.results)
    default: try volume.write("mine", self.results)
    }
    let notice = try results.restore([0: log])
    try results.write(result())
    #expect(try volume.names(self.results) == ["result.json", "step_0.log"])
    #expect(try !volume.names(away).contains("result.json"))
    #expect(notice?.path.text == "results")
  }

  /// A later attempt may have moved the folder and made its own in its place.
  @Test func folderOfAJobThatIsNoLongerHeldIsLeftWhereItIs() throws {
    let first = try ResultsFolder.prepare(in: folder) { false }
    let log = try first.createLog(of: 0)
    let second = try ResultsFolder.prepare(in: folder)
    try second.write(result(2))
    #expect(try first.restore([0: log]) == nil)
    #expect(try volume.names(results) == ["result.json"])
  }

  @Test func rightsThatAStepTookAwayAreGivenBack() throws {
    let results = try ResultsFolder.prepare(in: folder)
    #expect(chmod(self.results.string, 0) == 0)
    _ = try results.restore()
    try results.write(result())
    var status = stat()
    #expect(stat(self.results.string, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o700)
  }

  /// The result is not written through a link, and replaces a folder.
  @Test(arguments: ["hard link", "link", "fifo", "folder"])
  func whatAStepPutsInThePlaceOfTheResultGivesWay(_ kind: String) throws {
    let victim = volume.root.appending("victim")
    try volume.write("mine", victim)
    let results = try ResultsFolder.prepare(in: folder)
    for name in [".result.json.reserved", "result.json"] {
      let place = self.results.appending(name).string
      unlink(place)
      switch kind {
      case "hard link": link(victim.string, place)
      case "link": symlink(victim.string, place)
      case "fifo": mkfifo(place, 0o644)
      default: try DurableFile.makeFolder(FilePath(place).appending("full"))
      }
    }
    #expect(results.foreignResult?.path.text == "results/result.json")
    try results.write(result())
    #expect(volume.text(victim) == "mine")
    #expect(try volume.names(self.results) == ["result.json"])
    #expect(try folder.storedResult() != nil)
  }

  @Test func logTakesThePlaceOfAFolder() throws {
    let results = try ResultsFolder.prepare(in: folder)
    for name in ["step_0.log", "step_1.log"] {
      try DurableFile.makeFolder(self.results.appending(name).appending("full"))
    }
    let logs = [0: try results.createLog(of: 0), 1: try results.createLog(of: 1)]
    unlink(self.results.appending("step_1.log").string)
    try DurableFile.makeFolder(self.results.appending("step_1.log").appending("full"))
    _ = try results.restore(logs)
    #expect(volume.text(self.results.appending("step_1.log")) == "")
  }

  @Test func nothingIsSaidWhenNothingIsGone() throws {
    let results = try ResultsFolder.prepare(in: folder)
    let log = try results.createLog(of: 0)
    #expect(try results.restore([0: log]) == nil)
  }

  /// The log is larger than one block of the copy.
  @Test func logThatWasRemovedComesBackWhole() throws {
    let results = try ResultsFolder.prepare(in: folder)
    let log = try results.createLog(of: 0)
    let text = String(repeating: "a line\n", count: 100_000)
    unlink(self.results.appending("step_0.log").string)
    try log.store(text.utf8)
    #expect(try results.restore([0: log])?.path.text == "results")
    #expect(volume.text(self.results.appending("step_0.log")) == text)
  }

  @Test func whatBearsALogsNameIsReplacedAndNeverWrittenThrough() throws {
    let outside = volume.root.appending("outside")
    try volume.write("kept", outside)
    let results = try ResultsFolder.prepare(in: folder)
    symlink(outside.string, self.results.appending("step_0.log").string)
    mkfifo(self.results.appending("step_1.log").string, 0o600)
    for index in 0...1 { try results.createLog(of: index).store("\(index)".utf8) }
    #expect(volume.text(outside) == "kept")
    #expect(volume.text(self.results.appending("step_0.log")) == "0")
    #expect(volume.text(self.results.appending("step_1.log")) == "1")
  }

  @Test func forgedLogIsReplaced() throws {
    let results = try ResultsFolder.prepare(in: folder)
    let log = try results.createLog(of: 0)
    try log.store("true".utf8)
    let path = self.results.appending("step_0.log")
    unlink(path.string)
    try volume.write("forged", path)
    _ = try results.restore([0: log])
    #expect(volume.text(path) == "true")
  }
}
