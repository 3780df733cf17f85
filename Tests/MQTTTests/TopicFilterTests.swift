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
