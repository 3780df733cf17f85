import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Steps

@Suite(.timeLimit(.minutes(5))) struct LogPumpTests {
  private let fixture: StepFixture
  private let writeEnd: Int32
  private let readEnd: FileDescriptor

  init() throws {
    fixture = try StepFixture()
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    readEnd = FileDescriptor(rawValue: ends[0])
    writeEnd = ends[1]
  }

  private func write(_ text: String) {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      done += max(0, bytes.withUnsafeBytes { Glibc.write(writeEnd, $0.baseAddress! + done, bytes.count - done) })
    }
  }

  @Test func aLineIsInTheFileWhileTheStepRuns() async throws {
    let pump = try LogPump(from: readEnd, into: try fixture.log())
    for line in ["first\n", "second\n"] {
      write(line)
      // The guarantee is 100 ms; a busy machine gets more.
      try await eventually("'\(line)'") {
        String(decoding: try fixture.contents("step_0.log"), as: UTF8.self).hasSuffix(line)
      }
    }
    close(writeEnd)
    await pump.finish()
  }

  @Test func itEndsWithWhatIsInThePipeThoughItsOtherEndStaysOpen() async throws {
    let log = try fixture.log()
    let pump = try LogPump(from: readEnd, into: log)
    write(String(repeating: "y", count: 300_000))
    await pump.finish()
    close(writeEnd)
    #expect(log.length == 300_000)
  }

  /// The thread may be at any point when it is told to end: before it reads, about to poll, or waiting.
  @Test func itEndsThoughNothingIsWrittenAndItsOtherEndStaysOpen() async throws {
    for round in 0..<300 {
      let log = try fixture.log(name: "step_\(round).log")
      var ends: [Int32] = [-1, -1]
      try #require(pipe(&ends) == 0)
      let pump = try LogPump(from: FileDescriptor(rawValue: ends[0]), into: log)
      for _ in 0..<(round % 30) { await Task.yield() }
      await pump.finish()
      close(ends[1])
      #expect(log.length == 0)
    }
    close(writeEnd)
    try readEnd.close()
  }

  @Test func itWaitsAgainAfterAPauseOfTheStep() async throws {
    let log = try fixture.log()
    let pump = try LogPump(from: readEnd, into: log)
    for length in [5, 10] as [Int64] {
      write("abcde")
      try await eventually("\(length) bytes") { log.length == length }
    }
    await pump.finish()
    close(writeEnd)
    #expect(log.length == 10)
  }

  @Test func itOutlastsAStepThatClosesItsOutputEarly() async throws {
    let log = try fixture.log()
    let pump = try LogPump(from: readEnd, into: log)
    write("all")
    close(writeEnd)
    await pump.finish()
    #expect(log.length == 3)
  }
}
