import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Volume

struct VolumeClockTests {
  @Test func clockGoesOn() throws {
    let volume = try VolumeFixture()
    let clock = VolumeClock(probe: VolumePath(volume.root).appending("probe"))
    let first = try clock.now()
    #expect(abs(Double(first) / 1e9 - Date().timeIntervalSince1970) < 60)
    #expect(try clock.now() >= first)
  }

  @Test func fileIsAsOldAsItsLastTouch() throws {
    let volume = try VolumeFixture()
    let clock = VolumeClock(probe: VolumePath(volume.root).appending("probe"))
    let path = VolumePath(volume.root).appending("file")
    let file = try #require(try DurableFile.create(path, []))
    defer { try? file.close() }
    age(path, .seconds(1000))
    let old = try #require(try clock.touched(path))
    let now = try clock.now()
    #expect(abs(Double(now - old) / 1e9 - 1000) < 60)
    try touch(file)
    #expect(try #require(try clock.touched(path)) >= now - 1_000_000_000)
  }

  @Test func fileThatIsGoneHasNoTime() throws {
    let volume = try VolumeFixture()
    #expect(
      try VolumeClock(probe: VolumePath(volume.root).appending("probe")).touched(
        VolumePath(volume.root).appending("file")) == nil)
  }

  @Test func missingVolumeIsAnError() throws {
    let clock = VolumeClock(probe: VolumePath("/nowhere").appending("probe"))
    let error = #expect(throws: VolumeError.self) { try clock.now() }
    #expect(error?.description.hasPrefix("touching /nowhere/probe: ") == true)
  }
}
