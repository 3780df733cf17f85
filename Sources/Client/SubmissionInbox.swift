import MQTT
private import Synchronization

/// Queues the items that arrive for a submission, from any thread.
final class SubmissionInbox: Sendable {
  enum Item: Sendable {
    case place(RequestSender.Place)
    case message(Message)
    case failed(any Error)
  }

  private let items = Mutex<[Item]>([])

  func put(_ item: Item) {
    items.withLock { $0.append(item) }
  }

  func putBack(_ item: Item) {
    items.withLock { $0.insert(item, at: 0) }
  }

  func take() -> Item? {
    items.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }
}
