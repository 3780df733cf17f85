package import Jobs
package import MQTT
import Signing

/// The topics of a worker that listens to topic filters, and the rules for messages on them.
package struct RequestTopics: Sendable {
  let all: Topics
  /// The topic filters of requests.
  let filters: [TopicFilter]

  /// The topics in `all`, and requests on `filters`.
  package init(_ all: Topics, requests filters: [TopicFilter]) {
    self.all = all
    self.filters = filters
  }

  /// Whether workers, controllers or the broker itself act on messages on `topic`. A sender may not choose such a topic
  /// for an answer.
  func areActedOn(_ topic: String) -> Bool {
    // A subscription to `jobs/results/#` also gets the messages on `jobs/results` (MQTT 5, section 4.7.1.2).
    topic.hasPrefix("$") || all.areReserved(topic) || all.areReserved("\(topic)/")
      || filters.contains { $0.matches(topic) }
  }

  /// Whether a message that matches a request filter may be a request. An empty message only clears a retained one.
  func mayBeRequest(_ message: Message) -> Bool {
    !message.payload.isEmpty && !all.areReserved(message.topic) && !message.isOfWorker
  }
}

// Two fleets may listen to each other's topics, for example on `jobs/#` with different results topics. One fleet must
// not take the other's messages for requests: it would answer them, and the other fleet would answer those answers.

extension UserProperty {
  /// The name of the user property that marks a worker's messages.
  private static let markName = "mqtt-fs-worker"

  /// The mark of a message of `worker`.
  package static func mark(_ worker: WorkerID) -> UserProperty { UserProperty(name: markName, value: worker.text) }

  fileprivate var isMark: Bool { name == UserProperty.markName }
}

extension Message {
  /// A JSON message of `worker`.
  package init(_ topic: String, _ payload: [UInt8], from worker: WorkerID) {
    self.init(topic: topic, payload: payload)
    properties.contentType = "application/json"
    properties.userProperties = [.mark(worker)]
  }

  /// Whether a worker sent this message. The mark says so or, without properties (MQTT 3.1.1), the payload.
  package var isOfWorker: Bool {
    if properties.userProperties.contains(where: \.isMark) { return true }
    return isSaidByWorker(payload)
  }
}
