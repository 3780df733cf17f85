import Foundation
import Testing

@testable import Jobs

struct EnvelopeTests {
  private func made(
    _ packetID: UInt16, at instant: Int64, again: Bool = false, by session: String = "w", in epoch: String = "e",
    of digest: String = "d"
  ) -> RequestID {
    RequestID(
      session: session, epoch: epoch, packetID: packetID, digest: digest, instant: instant, isRedelivery: again)
  }

  @Test func sendersKeyIsTheSameWhereverItTurnsUp() {
    #expect(RequestID("order-4711").isSame(as: "order-4711"))
    #expect(!RequestID("order-4711").isSame(as: "order-471"))
    #expect(!RequestID("order-4711").isSame(as: nil))
  }

  @Test func messageThatIsSentAgainIsKnownAgain() {
    #expect(made(7, at: 2, again: true).isSame(as: made(7, at: 1).text))
    #expect(made(7, at: 3, again: true).isSame(as: made(7, at: 2, again: true).text))
  }

  @Test func otherMessagesAreNot() {
    // The same packet identifier, used again.
    #expect(!made(7, at: 2).isSame(as: made(7, at: 1).text))
    #expect(!made(7, at: 2, again: true).isSame(as: made(71, at: 1).text))
    #expect(!made(7, at: 2, again: true).isSame(as: made(7, at: 1, by: "v").text))
    #expect(!made(7, at: 2, again: true, in: "f").isSame(as: made(7, at: 1).text))
    #expect(!made(7, at: 2, again: true, of: "x").isSame(as: made(7, at: 1).text))
    #expect(!made(7, at: 2, again: true).isSame(as: "order-4711"))
    #expect(!made(7, at: 2, again: true).isSame(as: nil))
  }

  @Test func keyOfASenderIsNeverTakenForAMadeOne() {
    #expect(!RequestID("order@1+dup").isSame(as: "order@2"))
  }

  @Test func keyIsStoredAsItsText() throws {
    #expect(String(decoding: try JSONEncoder().encode([RequestID("a")]), as: UTF8.self) == #"["a"]"#)
    #expect(try JSONDecoder().decode([RequestID].self, from: Data(#"["a"]"#.utf8)) == [RequestID("a")])
  }
}
