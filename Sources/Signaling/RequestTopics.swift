package import Jobs
package import MQTT

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
