import Jobs
import SystemPackage
import TestSupport
import Testing

@testable import Volume

/// What this host has seen of files, and what others tell of them.
@Suite struct WatchedFilesTests {
  private let volume: VolumeFixture
  private let watched = WatchedFiles(remembering: nil)
  private var folder: VolumePath { VolumePath(volume.root) }
  private var file: VolumePath { folder.appending("file") }

  init() throws { volume = try VolumeFixture() }

  private func told(_ mark: String, age: Int64 = 60_000) -> [String: RoundFindings.Sighting] {
    ["file": RoundFindings.Sighting(mark: mark, age: age)]
  }

  @Test func whatAnotherSawEarlierCounts() {
    #expect(watched.age(of: file, "a") == .zero)
    watched.learn(told("a"), ago: .seconds(5), below: folder)
    #expect(watched.age(of: file, "a") >= .seconds(65))
  }

  /// The one who told it cannot write what he has seen since.
  @Test func ownNewerSightingOfAnotherStateStays() {
    #expect(watched.age(of: file, "b") == .zero)
    watched.learn(told("a"), ago: .seconds(86400), below: folder)
    #expect(watched.age(of: file, "b") > .zero)
  }

  @Test func newerSightingOfAnotherReplacesOnesOwn() {
    #expect(watched.age(of: file, "a") == .zero)
    watched.learn(told("b", age: 10), ago: .zero, below: folder)
    #expect(watched.age(of: file, "b") >= .milliseconds(10))
  }
}
