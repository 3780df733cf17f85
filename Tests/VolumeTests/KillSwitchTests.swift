import Foundation
import Logging
import SystemPackage
import TestSupport
import Testing

@testable import Volume

struct KillSwitchTests {
  private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  @Test func itIsToldOnceThatItIsOnAndOnceThatItIsOff() throws {
    let volume = try VolumeFixture()
    let ledger = try volume.ledger()
    #expect(ledger.killSwitch.reason(silent) == nil)
    try volume.write("disk is being replaced\n", volume.directory.killSwitch)
    for _ in 0..<3 { #expect(ledger.killSwitch.reason(silent) == "disk is being replaced") }
    try FileManager.default.removeItem(atPath: volume.directory.killSwitch.string)
    for _ in 0..<3 { #expect(ledger.killSwitch.reason(silent) == nil) }
    let lines = try #require(volume.text(ledger.audit.path)).split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0].contains(#""event":"halted""#) && lines[0].contains(#""reason":"disk is being replaced""#))
    #expect(lines[1].contains(#""event":"resumed""#))
  }
}
