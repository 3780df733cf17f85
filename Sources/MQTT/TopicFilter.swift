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

  /// Whether there are topics that both filters match. A broker sends a message of such a topic once for each of two
  /// subscriptions (MQTT 5, section 3.3.4).
  public func overlaps(_ other: TopicFilter) -> Bool {
    let (one, two) = (levels, other.levels)
    for index in 0...max(one.count, two.count) {
      let (mine, others) = (one.dropFirst(index).first, two.dropFirst(index).first)
      // A wildcard in the first level matches no topic that begins with $ (section 4.7.2).
      let isWild = { (level: Substring?, other: Substring?) in
        (level == "#" || level == "+" && other != nil) && !(index == 0 && other?.hasPrefix("$") == true)
      }
      let isOpen = isWild(mine, others) || isWild(others, mine)
      if isOpen, mine == "#" || others == "#" { return true }
      guard isOpen || mine == others else { return false }
    }
    return true
  }

  private var levels: [Substring] { pattern.split(separator: "/", omittingEmptySubsequences: false) }
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
