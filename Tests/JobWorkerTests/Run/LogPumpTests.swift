import Foundation
import SystemPackage
import Testing

@testable import JobWorker

struct LogPumpTests {
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
      let asked = ContinuousClock.now
      while !String(decoding: try fixture.contents("step_0.log"), as: UTF8.self).hasSuffix(line) {
        // The promise is 100 ms; a busy machine is given more.
        try #require(asked.duration(to: .now) < .seconds(10))
        try await Task.sleep(for: .milliseconds(1))
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

  @Test func itOutlastsAStepThatClosesItsOutputEarly() async throws {
    let log = try fixture.log()
    let pump = try LogPump(from: readEnd, into: log)
    write("all")
    close(writeEnd)
    await pump.finish()
    #expect(log.length == 3)
  }
}
