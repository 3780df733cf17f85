private import CMosquitto

/// A topic filter to subscribe to, perhaps shared: `jobs/pending`, `jobs/#`, `$share/<group>/jobs/pending`.
///
/// A delivered message has the topic that it was published to, without the `$share/<group>/` prefix, so ``matches(_:)``
/// compares with the part after it (MQTT 5, section 4.8.2).
public struct TopicFilter: Hashable, Sendable {
  /// The filter as sent in SUBSCRIBE.
  public let text: String
  /// The group of a shared subscription.
  public let shareName: String?
  /// The part of the filter that topics are matched against.
  public let pattern: String

  /// Parses a filter; throws ``InvalidTopicFilter`` with the correct form when a broker would refuse it.
  public init(_ text: String) throws(InvalidTopicFilter) {
    self.text = text
    if text.hasPrefix("/") {
      throw InvalidTopicFilter(
        "topic '\(text)' starts with '/'; if it should start with $share, the shell replaced it: "
          + "put it in single quotes, as in -t '$share/workers/jobs/pending'")
    }
    if text == "$share" || text.hasPrefix("$share/") {
      let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty, !parts[1].contains(where: { "+#".contains($0) })
      else {
        throw InvalidTopicFilter(
          "topic '\(text)' is not a shared subscription: the form is $share/<group>/<topic filter>, "
            + "as in '$share/workers/jobs/pending'; a group has no '+', '#' or '/'")
      }
      shareName = String(parts[1])
      pattern = String(parts[2])
    } else {
      shareName = nil
      pattern = text
    }
    guard !pattern.isEmpty, !pattern.contains("\0"), mosquitto_sub_topic_check(pattern) == MOSQ_ERR_SUCCESS.code else {
      throw InvalidTopicFilter(
        "topic '\(text)' is not a topic filter: '+' stands for one whole level, '#' for all that follow and only at the "
          + "end, as in 'jobs/+/pending' or 'jobs/#'")
    }
  }

  /// Whether this filter matches `topic`.
  public func matches(_ topic: String) -> Bool {
    var result = false
    let code = mosquitto_topic_matches_sub(pattern, topic, &result)
    return code == MOSQ_ERR_SUCCESS.code && result
  }
}

/// Why a topic filter is invalid: a sentence that ends with the correct form.
public struct InvalidTopicFilter: Error, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

extension mosq_err_t {
  /// The enum's value as the library's functions return it.
  var code: Int32 { rawValue }
}
