import FileTree
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

struct EarlierResultsTests {
  private let volume: VolumeFixture
  private let folder: JobFolder
  private var earlier: EarlierResults { EarlierResults(folder: folder) }

  init() throws {
    volume = try VolumeFixture()
    folder = try volume.job("job")
  }

  private func put(_ name: String, _ text: String = "x", in folder: String = "results") throws {
    let path = self.folder.path.appending(folder).pushing(FilePath(name))
    try DurableFile.makeFolder(path.removingLastComponent())
    try volume.write(text, path)
  }

  @Test(arguments: [".result.json.reserved", "step_0.log", "step_17.log"])
  func workersFolderIsKnownByWhatAWorkerMakes(_ name: String) throws {
    try put("artifact")
    #expect(try earlier.content(of: "results") == .foreign("artifact"))
    try put(name)
    #expect(try earlier.content(of: "results") == .workers)
  }

  @Test func resultIsAWorkersIfItSaysWhich() throws {
    try put("result.json", #"{"accuracy": 0.93}"#)
    #expect(try earlier.content(of: "results") == .foreign("result.json"))
    try put("result.json", String(repeating: " ", count: 100_000) + #"{"workerId" : "w", "workerVersion" : "0.1.0"}"#)
    #expect(try earlier.content(of: "results") == .workers)
  }

  @Test(arguments: ["step_x.log", "step_01.log", "step_0.txt"]) func similarNamesAreNobodys(_ name: String) throws {
    try put(name)
    #expect(try earlier.content(of: "results") == .foreign(name))
  }

  @Test func folderOrLinkOfAWorkersNameIsNoMark() throws {
    try DurableFile.makeFolder(folder.path.appending("results/step_0.log"))
    symlink("/etc/passwd", folder.path.appending("results/.result.json.reserved").string)
    guard case .foreign = try earlier.content(of: "results") else {
      Issue.record("taken for a worker's")
      return
    }
  }

  @Test func nothingIsNothing() throws {
    #expect(try earlier.content(of: "results") == .nothing)
    try DurableFile.makeFolder(folder.path.appending("results"))
    #expect(try earlier.content(of: "results") == .nothing)
  }

  @Test func secondAttemptMovesWhatItFindsAndRemovesNothing() throws {
    try put("mine", in: "results")
    try put("mine", in: "results.previous")
    #expect(throws: JobFailure.self) { try earlier.makeWay(for: 1, whileHeld: { true }) }
    #expect(try volume.names(folder.path) == ["job.json", "results", "results.previous"])
    #expect(try earlier.makeWay(for: 2, whileHeld: { true })?.path.text == "results.previous")
    #expect(try volume.names(folder.path) == [".worker", "job.json", "results.previous"])
    // The folder belongs to a user: later runs leave it.
    try put("step_0.log")
    #expect(try earlier.makeWay(for: 1, whileHeld: { true }) != nil)
    let kept = try volume.names(folder.path.appending(".worker")).filter { !$0.hasPrefix(".") }
    #expect(try kept.map { try volume.names(folder.path.appending(".worker").appending($0)) } == [["mine"]])
  }

  @Test func resultsOfAnotherAttemptStayInPlace() throws {
    try put("step_0.log", in: "results")
    #expect(throws: JobFailure.self) { try earlier.makeWay(for: 1, whileHeld: { false }) }
    #expect(try volume.names(folder.path.appending("results")) == ["step_0.log"])
  }

  /// A worker that stands still before it moves results/ moves those that the next attempt has put there meanwhile.
  @Test(arguments: [false, true])
  func resultsThatAnotherAttemptPutsThereMeanwhileComeBack(_ isPreviousInTheWay: Bool) throws {
    if isPreviousInTheWay { try put("mine", in: "results.previous") }
    try put("step_0.log", in: "results")
    var questions = 0
    #expect(throws: JobFailure.self) {
      try earlier.makeWay(for: 1) {
        questions += 1
        guard questions == 1 else { return false }
        _ = rename(folder.path.appending("results").string, folder.path.appending("first").string)
        try? put("step_1.log", in: "results")
        return true
      }
    }
    #expect(try volume.names(folder.path.appending("results")) == ["step_1.log"])
    #expect(try volume.names(folder.path).contains("results.previous") == isPreviousInTheWay)
  }

  // MARK: Folders that cannot be renamed

  private func moveResults(while mayGoOn: () -> Bool) throws -> Bool {
    let results = try openFile("results", .directory, in: folder.descriptor)
    defer { try? results.close() }
    return try moveContent(of: results, into: Array("moved".utf8CString), in: folder.descriptor, while: mayGoOn)
  }

  @Test func contentMovesWithModes() throws {
    try put("deep/er/file")
    try put("step_0.log")
    mkdirat(folder.descriptor.rawValue, [0x72, 0x65, 0x73, 0x75, 0x6C, 0x74, 0x73, 0x2F, -1, 0] as [CChar], 0o777)
    chmod(folder.path.appending("results").string, 0o750)
    #expect(try moveResults { true })
    #expect(try volume.names(folder.path.appending("results")).isEmpty)
    #expect(try volume.names(folder.path.appending("moved")).count == 3)
    #expect(try volume.names(folder.path.appending("moved")).contains("step_0.log"))
    #expect(try volume.names(folder.path.appending("moved/deep/er")) == ["file"])
    #expect(try status(of: "moved", in: folder.descriptor).st_mode & 0o7777 == 0o750)
  }

  @Test func entryThatMovedAfterTheJobWasLostComesBack() throws {
    for number in 0..<3 { try put("step_\(number).log") }
    var left = 2
    let isWhole = try moveResults {
      left -= 1
      return left > 0
    }
    #expect(!isWhole)
    #expect(try volume.names(folder.path.appending("results")).count == 2)
    #expect(try volume.names(folder.path.appending("moved")).count == 1)
  }

  @Test func whatIsInTheWayIsNamed() throws {
    try put("mine", in: "results.previous")
    try put("step_0.log")
    try volume.write("x", folder.path.appending(".worker"))
    let failure = #expect(throws: JobFailure.self) { try earlier.makeWay(for: 1, whileHeld: { true }) }
    #expect(
      failure?.description.contains("nor into .worker: Not a directory") == true, "\(String(describing: failure))")
    #expect(try volume.names(folder.path.appending("results")) == ["step_0.log"])
  }

  @Test func contentIsNotMixedWithOthers() throws {
    try put("step_0.log")
    try put("mine", in: "moved")
    #expect(throws: Errno.fileExists) { try moveResults { true } }
    #expect(try volume.names(folder.path.appending("results")) == ["step_0.log"])
  }
}
