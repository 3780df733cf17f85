import MQTT
private import Synchronization

/// What arrived for a submission, from whichever thread.
final class Inbox: Sendable {
  enum Item: Sendable {
    case place(RequestSender.Place)
    case message(Message)
    case failed(any Error)
  }

  private let items = Mutex<[Item]>([])

  package func put(_ item: Item) {
    items.withLock { $0.append(item) }
  }

  package func putBack(_ item: Item) {
    items.withLock { $0.insert(item, at: 0) }
  }

  package func take() -> Item? {
    items.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }
}
