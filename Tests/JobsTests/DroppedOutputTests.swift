import Testing

@testable import Jobs

@Suite struct DroppedOutputTests {
  @Test func lineIsReadBackAtItsPlace() throws {
    let dropped = DroppedOutput(count: 12, limit: 1000)
    #expect(dropped.line.count == 128 && dropped.line.last == UInt8(ascii: "\n"))
    #expect(DroppedOutput(dropped.line, inLogOf: 1128) == dropped)
  }

  @Test func whatAStepItselfWroteIsNoSuchLine() {
    let line = DroppedOutput(count: 12, limit: 1000).line
    // In a log of another size the line is output.
    #expect(DroppedOutput(line, inLogOf: 1129) == nil)
    #expect(DroppedOutput(Array(line.dropLast()), inLogOf: 1128) == nil)
    #expect(DroppedOutput([UInt8](repeating: 0x5B, count: 128), inLogOf: 1128) == nil)
  }

  @Test func lineThatAStepForgedLeadsNowhereElse() throws {
    for count in [Int64.max, Int64.max - 1, Int64.max / 2] {
      let line = DroppedOutput(count: count, limit: 1000).line
      let dropped = try #require(DroppedOutput(line, inLogOf: 1128))
      #expect(dropped.resume(after: 400) == 400)
      #expect(dropped.resume(after: 1128) == 500)
      #expect(dropped.resume(after: Int64.max) <= 628 + (Int64.max - count))
    }
  }

  @Test func readerGoesOnBehindWhatItHasOrWithTheLine() {
    let dropped = DroppedOutput(count: 300, limit: 1000)
    // The first half stays at its place.
    #expect(dropped.resume(after: 0) == 0)
    #expect(dropped.resume(after: 500) == 500)
    // The output from 800 on is kept, after the line.
    #expect(dropped.resume(after: 799) == 500)
    #expect(dropped.resume(after: 800) == 628)
    #expect(dropped.resume(after: 1300) == 1128)
  }
}
