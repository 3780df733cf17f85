import Synchronization
import Testing

@testable import Steps

@Suite struct LogRelayTests {
  private final class Receiver: Sendable {
    let pieces = Mutex<[StepOutput]>([])

    func take(_ piece: StepOutput) { pieces.withLock { $0.append(piece) } }
    var all: [StepOutput] { pieces.withLock { $0 } }
  }

  @Test func outputComesInPiecesWithoutAGap() async throws {
    let fixture = try StepFixture()
    let log = try fixture.log()
    let receiver = Receiver()
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    await LogRelay(step: 3, log: log) { receiver.take($0) }.relaying {
      bytes.withUnsafeBytes { log.append($0) }
      log.finish()
    }
    #expect(receiver.all.flatMap(\.bytes) == bytes)
    #expect(receiver.all.allSatisfy { $0.step == 3 && $0.bytes.count <= LogRelay.largestPiece })
    #expect(receiver.all.map(\.offset) == [0, 65536, 131072, 196608, 262144])
    withExtendedLifetime(fixture) {}
  }

  @Test func whatIsTooMuchIsLeftOutAndTheNewestComes() async throws {
    let fixture = try StepFixture()
    let log = try fixture.log(limit: 1 << 20)
    let receiver = Receiver()
    let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
    await LogRelay(step: 0, log: log) { receiver.take($0) }.relaying {
      bytes.withUnsafeBytes { log.append($0) }
      log.finish()
    }
    for piece in receiver.all {
      #expect(piece.bytes.elementsEqual(bytes[Int(piece.offset)...].prefix(piece.bytes.count)))
    }
    let last = try #require(receiver.all.last)
    #expect(Int(last.offset) + last.bytes.count == bytes.count)
    withExtendedLifetime(fixture) {}
  }

  @Test func receiverThatHangsDoesNotHoldTheStepForLong() async throws {
    let fixture = try StepFixture()
    let log = try fixture.log()
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let result = await LogRelay(step: 0, log: log) { _ in for await _ in gate {} }.relaying {
      Array("x".utf8).withUnsafeBytes { log.append($0) }
      log.finish()
      return 7
    }
    #expect(result == 7)
    open.finish()
    withExtendedLifetime(fixture) {}
  }
}
