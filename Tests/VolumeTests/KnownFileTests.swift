import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Volume

@Suite(.timeLimit(.minutes(5))) struct KnownFileTests {
  private let volume: VolumeFixture
  private var path: VolumePath { volume.file }

  init() throws {
    volume = try VolumeFixture()
    try volume.write("mine", path)
  }

  private var names: [String] {
    get throws { try volume.names(volume.root).filter { $0 != "jobs" } }
  }

  @Test func fileThatIsStillTheSameIsRemoved() throws {
    let file = try #require(try KnownFile.read(path))
    #expect(try file.isUnchanged())
    #expect(try file.remove())
    #expect(try names.isEmpty)
    #expect(try !file.remove())
    #expect(try !file.isInPlace())
  }

  @Test func anothersFileOfTheSameNameStays() throws {
    let file = try #require(try KnownFile.read(path))
    let other = VolumePath(volume.root).appending("other")
    try volume.write("another's", other)
    rename(other.path.string, path.path.string)
    #expect(try !file.isInPlace())
    #expect(try !file.remove())
    #expect(volume.text(path) == "another's")
    #expect(try names == ["file"])
  }

  /// An inode number is used again as soon as its file is gone.
  @Test func fileWithTheSameNumberAndOtherContentStays() throws {
    let file = try #require(try KnownFile.read(path))
    try volume.write("another's", path)
    #expect(try file.isInPlace())
    #expect(try !file.isUnchanged())
    #expect(try !file.remove())
    #expect(volume.text(path) == "another's")
    #expect(try names == ["file"])
  }

  @Test func oneOfManyRemovesIt() async throws {
    let file = try #require(try KnownFile.read(path))
    let removals = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { try await onThread { try file.remove() } } }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(removals == 1)
    #expect(try names.isEmpty)
  }

  /// A deferred request keeps the time of its arrival, so an old time says nothing of the worker that is removing it.
  @Test func whatSomebodyDiedOverIsSweptAwayWhenItWasSeenForALease() async throws {
    let (folder, lease) = (VolumePath(volume.root), volume.lease(.milliseconds(200)))
    let aside = folder.appending(".abc.aside")
    try volume.write("left", aside)
    age(aside, .seconds(61))
    let began = ContinuousClock.now
    try KnownFile.sweep(folder, lease)
    #expect(volume.text(aside) == "left")
    try await eventually("the hidden file is swept away") {
      try KnownFile.sweep(folder, lease)
      return volume.text(aside) == nil
    }
    #expect(ContinuousClock.now - began >= .milliseconds(200))
    #expect(volume.text(path) == "mine")
  }

  /// The remover stood still for longer than a lease between its rename and its unlink.
  @Test func fileThatAnotherSweepsAwayMeanwhileIsRemoved() async throws {
    // Every hidden file is swept away as soon as it is seen.
    let (folder, lease) = (VolumePath(volume.root), volume.lease(.seconds(-1)))
    try await repeating {
      try KnownFile.sweep(folder, lease)
    } while: {
      for number in 0..<2000 {
        try volume.write("\(number)", path)
        let file = try #require(try KnownFile.read(path))
        #expect(try file.remove())
      }
    }
  }
}
