import Testing

@testable import Jobs
@testable import Signaling
@testable import Worker

@Suite struct InboxTests {
  private let inbox = Inbox()

  private func offer(_ id: String) throws -> JobOffer {
    let payload = #"{"id":"\#(id)"}"#
    return JobOffer(
      request: try JobRequest(payload: Array(payload.utf8)),
      envelope: Envelope(payload: payload, topic: "jobs", requestId: RequestID(id)), filter: "jobs"
    ) {}
  }

  private func names() async -> [String] {
    inbox.add(.timeout)
    var names: [String] = []
    while let waiting = await inbox.next(), let entry = inbox.take(noLaterThan: waiting) {
      switch entry {
      case .look(let rank, let occasion): names.append("look \(rank) \(occasion)")
      case .request(let rank, let offer): names.append("\(offer.request.id) \(rank)")
      case .wakeup: names.append("wakeup")
      case .failure: names.append("failure")
      case .timeout: return names
      }
    }
    return names
  }

  @Test func entriesOfOneTopicComeInTheirOrder() async throws {
    inbox.add(.look(0, .regular))
    inbox.add(.request(0, try offer("a")))
    inbox.add(.wakeup)
    inbox.add(.look(0, .regular))
    #expect(await names() == ["look 0 regular", "a 0", "wakeup"])
  }

  @Test func mostUrgentTopicComesFirst() async throws {
    inbox.add(.request(1, try offer("b")))
    inbox.add(.look(1, .regular))
    inbox.add(.look(0, .regular))
    inbox.add(.request(0, try offer("a")))
    #expect(await names() == ["look 0 regular", "a 0", "b 1", "look 1 regular"])
  }

  @Test func withdrawnRequestIsNotTaken() async throws {
    inbox.add(.request(0, try offer("a")))
    inbox.add(.request(1, try offer("b")))
    #expect(inbox.withdrawRequest(of: 0))
    #expect(!inbox.withdrawRequest(of: 0))
    #expect(await names() == ["b 1"])
    #expect(!inbox.withdrawRequest(of: 1))
  }

  /// A worker that has asked for more urgent requests than `waiting` takes nothing less urgent.
  @Test func lessUrgentEntryIsNotTaken() async throws {
    inbox.add(.request(0, try offer("a")))
    let waiting = try #require(await inbox.next())
    inbox.withdrawRequest(of: 0)
    inbox.add(.look(1, .regular))
    #expect(inbox.take(noLaterThan: waiting) == nil)
    #expect(await names() == ["look 1 regular"])
  }
}
