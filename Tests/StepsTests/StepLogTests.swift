import Foundation
import SystemPackage
import Testing

@testable import Steps

struct StepLogTests {
  private let fixture: StepFixture

  init() throws { fixture = try StepFixture() }

  private func append(_ bytes: [UInt8], to log: StepLog, inPiecesOf size: Int) {
    for start in stride(from: 0, to: bytes.count, by: size) {
      bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { log.append($0) }
    }
  }

  /// Bytes in which every offset can be recognized.
  private func sample(_ count: Int) -> [UInt8] {
    var state: UInt64 = 88_172_645_463_325_252
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state)
    }
  }

  @Test func bytesAreKeptVerbatimAndCanBeReadWhileItGrows() throws {
    let log = try fixture.log()
    append([0, 255, 10, 13], to: log, inPiecesOf: 4)
    #expect(try fixture.contents("step_0.log") == Data([0, 255, 10, 13]))
    append([195], to: log, inPiecesOf: 1)
    log.finish()
    #expect(try fixture.contents("step_0.log") == Data([0, 255, 10, 13, 195]))
    #expect(log.length == 5 && log.dropped == 0 && log.error == nil)
  }

  @Test(arguments: [1, 2, 7, 100])
  func secretsAreMaskedHoweverTheyArrive(inPiecesOf size: Int) throws {
    let log = try fixture.log(redacting: Redaction(["hunter22", "multi\nline of it"]))
    append(Array("pw hunter22\nmulti\nline of it, hunter2\nhunt".utf8), to: log, inPiecesOf: size)
    // A whole line is never held back; a possible beginning of a secret is.
    #expect(try fixture.contents("step_0.log") == Data("pw ***\n***\n***, hunter2\n".utf8))
    log.finish()
    #expect(try fixture.contents("step_0.log") == Data("pw ***\n***\n***, hunter2\nhunt".utf8))
    #expect(log.length == 28 && log.dropped == 0)
  }

  @Test func limitCountsWhatIsLeftWhenSecretsAreMasked() throws {
    let log = try fixture.log(limit: 30, redacting: Redaction([String(repeating: "s", count: 1000)]))
    append(Array(String(repeating: "s", count: 1000).utf8) + Array("\n".utf8), to: log, inPiecesOf: 64)
    log.finish()
    #expect(try fixture.contents("step_0.log") == Data("***\n".utf8))
    #expect(log.dropped == 0)
  }

  @Test(arguments: [0, 1, 999, 1000])
  func upToTheLimitNothingIsDropped(count: Int) throws {
    let log = try fixture.log(limit: 1000)
    let bytes = sample(count)
    append(bytes, to: log, inPiecesOf: 7)
    log.finish()
    #expect(try fixture.contents("step_0.log") == Data(bytes))
    #expect(log.dropped == 0)
  }

  @Test(arguments: [1001, 1127, 1128, 1129, 1500, 1628, 2000, 12_345, 100_000], [1, 7, 4096])
  func overTheLimitTheFirstAndTheLastHalfAreKept(count: Int, piece: Int) throws {
    let log = try fixture.log(limit: 1000)
    let bytes = sample(count)
    append(bytes, to: log, inPiecesOf: piece)
    log.finish()
    let kept = try fixture.contents("step_0.log")
    let line = String(decoding: kept[500..<kept.count - 500], as: UTF8.self)
    #expect(kept.prefix(500) == Data(bytes[..<500]))
    #expect(kept.suffix(500) == Data(bytes[(count - 500)...]))
    #expect(line.hasPrefix("\n[\(count - 1000) bytes of output were dropped here"))
    #expect(line.hasSuffix("\n") && line.split(separator: "\n").count == 1)
    #expect(log.dropped == Int64(count - 1000))
    #expect(log.length == Int64(kept.count))
  }

  @Test func aLastHalfOfManyBlocksIsPutInOrder() throws {
    let log = try fixture.log(limit: 2_000_001)
    let bytes = sample(3_999_999)
    append(bytes, to: log, inPiecesOf: 300_007)
    log.finish()
    let kept = try fixture.contents("step_0.log")
    #expect(kept.prefix(1_000_000) == Data(bytes[..<1_000_000]))
    #expect(kept.suffix(1_000_001) == Data(bytes[(3_999_999 - 1_000_001)...]))
  }

  @Test func aLimitOfNothingKeepsTheLineOnly() throws {
    let log = try fixture.log(limit: 0)
    append(sample(300), to: log, inPiecesOf: 300)
    log.finish()
    #expect(String(decoding: try fixture.contents("step_0.log"), as: UTF8.self).contains("[300 bytes"))
  }

  @Test func theFileIsWrittenLiveAndStandsStillOverTheLimit() throws {
    let log = try fixture.log(limit: 1000)
    let bytes = sample(5000)
    append(Array(bytes[..<800]), to: log, inPiecesOf: 100)
    #expect(try fixture.contents("step_0.log") == Data(bytes[..<800]))
    append(Array(bytes[800...]), to: log, inPiecesOf: 100)
    // Bytes that a reader has found there stay unchanged until the step ends.
    #expect(try fixture.contents("step_0.log") == Data(bytes[..<1128]))
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory.string) == ["step_0.log"])
  }

  @Test func theTailIsTheEndOfTheFile() throws {
    let log = try fixture.log(limit: 1000)
    append(Array("0123456789".utf8), to: log, inPiecesOf: 10)
    log.finish()
    #expect(log.tail(4) == Array("6789".utf8))
    #expect(log.tail(100) == Array("0123456789".utf8))
  }
}
