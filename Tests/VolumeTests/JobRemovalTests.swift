import FileTree
import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing

@testable import Volume

@Suite struct JobRemovalTests {
  private let volume: VolumeFixture
  private let id: JobID

  init() throws {
    volume = try VolumeFixture()
    id = try JobID("job")
    try volume.job("job")
  }

  private func begin() throws -> JobRemoval? {
    try JobRemoval.begin(id, in: volume.directory, at: volume.directory.time())
  }

  private var mark: VolumePath { volume.directory.claims.appending("job.1.json") }

  @Test func noWorkerAndNoOtherRemovalHasTheJobMeanwhile() throws {
    let ledger = try volume.ledger()
    let removal = try #require(try begin())
    #expect(try ledger.claim(envelope("job", "r"), id) == nil)
    #expect(try begin() == nil)
    // A worker waits for the holder, and does not call the request a duplicate.
    #expect(try ledger.claimFiles(of: id).last?.record == nil && !ledger.isHeld(id))
    #expect(try ledger.abandonedClaims().isEmpty)
    try removal.end()
    #expect(try ledger.claim(envelope("job", "r"), id) != nil)
    #expect(try begin() == nil)
  }

  @Test func folderGetsAHiddenNameAndIsRemoved() throws {
    let removal = try #require(try begin())
    let hidden = try #require(try removal.hide())
    try removal.end()
    #expect(!volume.directory.exists(id) && hidden.name.hasPrefix(".pruned~job~"))
    #expect(hidden.size.files == 1)
    try hidden.remove()
    #expect(try volume.names(volume.jobs) == [".worker"])
  }

  @Test func folderGetsItsNameBackIfAWorkerTookTheJobDuringAStandstill() throws {
    let removal = try #require(try begin())
    try DurableFile.remove(mark)
    let claim = try #require(try volume.ledger().claim(envelope("job", "r"), id))
    #expect(try removal.hide() == nil)
    try removal.end()
    #expect(volume.directory.exists(id) && claim.isInPlaceForTest)
    #expect(try volume.names(volume.jobs) == [".worker", "job"])
  }

  @Test func earlierResultsGetTheirNameBackIfAWorkerTookTheJobDuringAStandstill() throws {
    try DurableFile.makeFolder(volume.jobs.appending("job/results.previous"))
    try volume.write("{}", volume.jobs.appending("job/results.previous/step_0.log"))
    let earlier = EarlierResults(folder: try JobFolder.open(id, in: volume.directory))
    let removal = try #require(try begin())
    try DurableFile.remove(mark)
    _ = try #require(try volume.ledger().claim(envelope("job", "r"), id))
    #expect(try !removal.isHeld)
    #expect(try !earlier.hidePrevious(while: { try removal.isHeld }))
    #expect(try volume.names(volume.jobs.appending("job/results.previous")) == ["step_0.log"])
  }

  /// A process of a restarted container may have the same pid in a namespace of the same number.
  @Test func folderOfAProcessWithTheSamePidIsNotThatOfALiveOne() throws {
    let name = ".prune~job~\(getpid())~0123456789abcdef~x"
    try DurableFile.makeFolder(volume.jobs.appending(name))
    #expect(try HiddenFolder.left(in: volume.directory).map(\.name) == [name])
    let own = HiddenFolder(of: id, in: volume.directory)
    try DurableFile.makeFolder(volume.jobs.appending(own.name))
    #expect(try HiddenFolder.left(in: volume.directory).map(\.name) == [name])
  }

  @Test func markOfADeadProcessIsRemoved() throws {
    try volume.ledger().directory.check()
    for process in [ProcessIdentity.predecessor, .elsewhere] {
      let text = String(decoding: try compactJSON(["removal": process]), as: UTF8.self)
      try volume.write(text, mark)
      if process == .elsewhere {
        #expect(try begin() == nil)
        age(mark, .seconds(61))
      }
      let removal = try #require(try begin())
      try removal.end()
    }
    try volume.write("", mark)
    age(mark, .seconds(61))
    #expect(try begin() == nil)
    age(mark, .seconds(3601))
    #expect(try begin() != nil)
  }

  @Test func workerRemovesTheMarkOfADeadProcessAfterALease() throws {
    let ledger = try volume.ledger(lease: .seconds(60))
    _ = try #require(try begin())
    age(mark, .seconds(61))
    #expect(try ledger.abandonedClaims().map(\.id) == [id])
  }

  @Test func folderIsInPlaceUntilItIsMoved() throws {
    let folder = try JobFolder.open(id, in: volume.directory)
    #expect(folder.isInPlace(in: volume.directory))
    let removal = try #require(try begin())
    let hidden = try #require(try removal.hide())
    #expect(!folder.isInPlace(in: volume.directory) && !folder.isRemoved)
    try volume.job("job")
    #expect(!folder.isInPlace(in: volume.directory))
    try hidden.remove()
  }
}

extension Claim {
  fileprivate var isInPlaceForTest: Bool { (try? isInPlace()) == true }
}
