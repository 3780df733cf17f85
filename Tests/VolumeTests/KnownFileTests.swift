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

  @Test func whatSomebodyDiedOverIsSweptAwayWhenItIsOld() throws {
    let aside = VolumePath(volume.root).appending(".abc.aside")
    try volume.write("left", aside)
    try KnownFile.sweep(VolumePath(volume.root), volume.lease())
    #expect(volume.text(aside) == "left")
    age(aside, .seconds(61))
    try KnownFile.sweep(VolumePath(volume.root), volume.lease())
    #expect(volume.text(aside) == nil)
    #expect(volume.text(path) == "mine")
  }
}
