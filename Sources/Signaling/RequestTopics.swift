package import Jobs
package import MQTT
import Signing

/// The topics of a worker that listens to a filter, and what may be said on them.
package struct RequestTopics: Sendable {
  let all: Topics
  /// Where requests come from.
  let filter: TopicFilter

  /// The topics beside `all`'s results topic, with requests on `filter`.
  package init(_ all: Topics, requests filter: TopicFilter) {
    self.all = all
    self.filter = filter
  }

  /// Whether workers, controllers or the broker itself act on what comes on `topic`: nobody may choose it for an answer.
  func areActedOn(_ topic: String) -> Bool {
    // A subscription to `jobs/results/#` gets what comes on `jobs/results`, too (MQTT 5, section 4.7.1.2).
    topic.hasPrefix("$") || all.areReserved(topic) || all.areReserved("\(topic)/") || filter.matches(topic)
  }

  /// Whether a message that comes to where requests come may be one. An empty message clears a retained one.
  func mayBeRequest(_ message: Message) -> Bool {
    !message.payload.isEmpty && !all.areReserved(message.topic) && !message.isOfWorker
  }
}

// Two fleets may listen to each other's topics, as on `jobs/#` with different results topics. What a worker says must be no
// request to the other: it would be answered, and the answer again.

extension UserProperty {
  /// What tells a worker's messages from requests.
  private static let markName = "mqtt-fs-worker"

  /// The mark of what `worker` says.
  package static func mark(_ worker: WorkerID) -> UserProperty { UserProperty(name: markName, value: worker.text) }

  fileprivate var isMark: Bool { name == UserProperty.markName }
}

extension Message {
  /// A message of `worker` to whoever listens, in JSON.
  package init(_ topic: String, _ payload: [UInt8], from worker: WorkerID) {
    self.init(topic: topic, payload: payload)
    properties.contentType = "application/json"
    properties.userProperties = [.mark(worker)]
  }

  /// Whether a worker said this: by its mark, or, where there are no properties (3.1.1), by what it says.
  package var isOfWorker: Bool {
    if properties.userProperties.contains(where: \.isMark) { return true }
    return isSaidByWorker(payload)
  }
}
