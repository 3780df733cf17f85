import Foundation
import SystemPackage
import Testing

@testable import Steps

struct MemoryEventsTests {
  private let fixture: StepFixture
  private var pod: String { fixture.directory.appending("pod").string }
  private var container: String { "\(pod)/container" }

  init() throws {
    fixture = try StepFixture()
    try FileManager.default.createDirectory(atPath: container, withIntermediateDirectories: true)
  }

  private func write(_ text: String, _ path: String) throws {
    try text.write(toFile: path, atomically: false, encoding: .utf8)
  }

  private func kills(_ count: Int) throws {
    try write("low 0\nhigh 0\nmax 9\noom 3\noom_kill \(count)\noom_group_kill 0\n", "\(container)/memory.events")
  }

  @Test func killIsNewOnlyIfItCameAfterTheBeginning() throws {
    try kills(2)
    try write("max\n", "\(container)/memory.max")
    let events = try #require(MemoryEvents(inFirstOf: [nil, pod, container]))
    #expect(events.newKill() == nil)
    try kills(3)
    #expect(events.newKill() == .host)
  }

  @Test func lowestLimitOnTheWayUpCounts() throws {
    try kills(0)
    let events = try #require(MemoryEvents(inFirstOf: [container]))
    try kills(1)
    try write("268435456\n", "\(container)/memory.max")
    try write("max\n", "\(pod)/memory.max")
    #expect(events.newKill() == .bytes(256 << 20))
    try write("134217728\n", "\(pod)/memory.max")
    #expect(events.newKill() == .bytes(128 << 20))
  }

  @Test func nothingIsCountedWithoutTheMemoryController() throws {
    #expect(MemoryEvents(inFirstOf: [nil, pod, container, "/nowhere"]) == nil)
    try kills(0)
    let events = try #require(MemoryEvents(inFirstOf: [container]))
    try FileManager.default.removeItem(atPath: container)
    #expect(events.newKill() == nil)
  }
}
