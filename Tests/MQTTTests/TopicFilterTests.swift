import MQTT
import Testing

@Suite struct TopicFilterTests {
  @Test(arguments: [
    ("jobs/pending", "jobs/pending", true), ("jobs/pending", "jobs/other", false),
    ("$share/workers/jobs/pending", "jobs/pending", true),
    ("$share/workers/jobs/pending", "$share/workers/jobs/pending", false),
    ("$share/w/jobs/+/pending", "jobs/gpu/pending", true), ("$share/w/jobs/+/pending", "jobs/pending", false),
    ("jobs/#", "jobs", true), ("jobs/#", "jobs/a/b", true), ("jobs/#", "other", false),
    ("+", "jobs", true), ("+", "jobs/x", false), ("#", "a/b/c", true), ("#", "$SYS/broker", false),
    ("$share/w//jobs", "/jobs", true), ("$SYS/#", "$SYS/broker", true),
  ])
  func matchesTheTopicsThatItAsksFor(_ filter: String, _ topic: String, _ isMatch: Bool) throws {
    #expect(try TopicFilter(filter).matches(topic) == isMatch)
  }

  @Test(arguments: [
    ("jobs/a", "jobs/a", true), ("jobs/a", "jobs/b", false), ("jobs/#", "jobs/a", true), ("jobs/#", "jobs", true),
    ("jobs/+", "jobs", false), ("jobs/+", "jobs/a/b", false), ("jobs/+/c", "jobs/b/+", true), ("+/a", "jobs/#", true),
    ("$share/g/jobs/a", "jobs/+", true), ("$share/g/a", "$share/h/a", true), ("#", "$SYS/a", false), ("+", "$x", false),
    ("$x/#", "$x/+", true), ("a/", "a", false), ("a/+", "a/", true), ("#", "+", true), ("a/b/#", "a/c/#", false),
  ])
  func filtersOverlapIfATopicMatchesBoth(_ one: String, _ other: String, _ overlap: Bool) throws {
    #expect(try TopicFilter(one).overlaps(TopicFilter(other)) == overlap)
    #expect(try TopicFilter(other).overlaps(TopicFilter(one)) == overlap)
  }

  @Test func sharedFilterKnowsItsGroup() throws {
    let filter = try TopicFilter("$share/workers/jobs/+/pending")
    #expect(filter.shareName == "workers")
    #expect(filter.pattern == "jobs/+/pending")
    #expect(filter.text == "$share/workers/jobs/+/pending")
    #expect(try TopicFilter("jobs").shareName == nil)
  }

  @Test(arguments: [
    "", "$share", "$share/", "$share/g", "$share/g/", "$share//x", "$share/+/x", "$share/a#/x", "jobs/#/x", "jobs/a#",
    "jobs/+a", "$share/g/jobs/#/x", "a\0b",
  ])
  func whatABrokerWouldRefuseIsRefusedWithTheRightForm(_ text: String) {
    let error = #expect(throws: InvalidTopicFilter.self) { try TopicFilter(text) }
    #expect(error?.description.contains("as in '") == true)
  }

  @Test func shareThatAShellReplacedIsToldWithQuotes() {
    let error = #expect(throws: InvalidTopicFilter.self) { try TopicFilter("/g/jobs") }
    #expect(error?.description.contains("-t '$share/workers/jobs/pending'") == true)
  }
}
