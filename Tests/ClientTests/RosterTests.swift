import MQTT
import TestSupport
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

@Suite struct RosterTests {
  private func status(_ json: JSON, expiry: UInt32? = nil, on topic: String = "workers/w1/status") -> Message {
    var message = Message(topic, json.text)
    message.properties.messageExpiry = expiry
    return message
  }

  private func idle(_ more: [String: JSON] = [:]) -> JSON {
    .object(["state": "idle", "workerId": "w1"].merging(more) { $1 })
  }

  @Test func ageIsTheWorkersOwnPlusThatWithTheBroker() throws {
    var roster = Roster()
    let now = ContinuousClock.now
    let times: [String: JSON] = [
      "heartbeat": 15, "since": "2026-01-01T00:00:00.000Z", "time": "2026-01-01T00:01:00.000Z",
    ]
    // The broker had held the status for 10 of its 46 seconds.
    roster.take(status(idle(times), expiry: 36), at: now)
    let entry = try #require(roster.entries["w1"])
    #expect(entry.began == now - .seconds(70))
    #expect(entry.isAlive(at: now))
    #expect(entry.isAlive(at: now + .seconds(35)))
    #expect(!entry.isAlive(at: now + .seconds(37)))
  }

  @Test func lastWillIsAsOldAsTheBrokerKeptIt() {
    var roster = Roster()
    let now = ContinuousClock.now
    let will: JSON = ["state": "offline", "reason": "lost", "workerId": "w1"]
    roster.take(status(will, expiry: 86400 - 90), at: now)
    #expect(roster.entries["w1"]?.began == now - .seconds(90))
    #expect(roster.entries["w1"]?.isAlive(at: now) == false)
    roster.take(status(will), at: now)
    #expect(roster.entries["w1"]?.began == nil)
  }

  /// Anybody may write a status.
  @Test(arguments: [1e300, -1e300, -1, 0, 1e-300, 86401, 9.3e18] as [Double])
  func heartbeatThatNoWorkerHasSaysNothing(_ heartbeat: Double) {
    var roster = Roster()
    let now = ContinuousClock.now
    for expiry in [nil, 0, UInt32.max] {
      roster.take(status(idle(["heartbeat": .number(heartbeat)]), expiry: expiry), at: now)
      #expect(roster.entries["w1"]?.isAlive(at: now + .seconds(1 << 40)) == true)
    }
  }

  @Test func timesOfAnyYearAreAnAge() throws {
    var roster = Roster()
    for (since, time) in [
      ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"),
      ("9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"),
      ("-292275055-05-16T16:47:04.192Z", "+292278994-08-17T07:12:55.807Z"), ("99999999999999-01-01T00:00:00.000Z", "x"),
    ] {
      roster.take(status(idle(["since": .string(since), "time": .string(time)]), expiry: 1))
      let entry = try #require(roster.entries["w1"])
      #expect(entry.isAlive(at: .now))
    }
  }

  @Test(arguments: ["", #"{"state":"offline","reason":"left","workerId":"w1"}"#])
  func workerThatLeftIsNoneAnyMore(_ payload: String) {
    var roster = Roster()
    roster.take(status(idle()))
    #expect(roster.take(Message("workers/w1/status", payload)) == "w1")
    #expect(roster.entries.isEmpty)
  }

  @Test func workerThatAnswersIsThereWithoutAStatus() {
    var roster = Roster()
    let answer: JSON = ["command": "health-check", "outcome": "done", "state": "halted", "time": "", "workerId": "w1"]
    roster.take(status(answer, on: "workers/w1/answers"))
    #expect(roster.entries["w1"]?.status.state == .halted)
    #expect(roster.silent.isEmpty)
    roster.take(status(idle(), on: "workers/w1/status"))
    #expect(roster.entries["w1"]?.hasAnswered == true)
    roster.take(Message("workers/w1/status", #"{"state":"offline","reason":"lost","workerId":"w1"}"#))
    #expect(roster.entries["w1"]?.hasAnswered == false)
  }

  /// A fleet of a thousand sends 67 heartbeats a second.
  @Test func heartbeatIsNoNews() {
    var roster = Roster()
    roster.take(status(idle()))
    #expect(roster.news == 1)
    roster.take(status(idle()))
    #expect(roster.news == 1)
    let answer: JSON = ["command": "health-check", "outcome": "done", "state": "idle", "time": "", "workerId": "w1"]
    for _ in 0..<2 { roster.take(status(answer, on: "workers/w1/answers")) }
    #expect(roster.news == 2)
    roster.take(Message("workers/w1/status", ""))
    #expect(roster.news == 3)
  }

  @Test(arguments: [
    ("workers/w2/status", #"{"state":"idle","workerId":"w1"}"#),
    ("workers/w1/other", #"{"state":"idle","workerId":"w1"}"#),
    ("workers/w1/status", "idle"), ("workers/w 1/status", #"{"state":"idle","workerId":"w 1"}"#),
    ("workers/w1/answers", #"{"command":"drain","outcome":"done","state":"idle","time":"","workerId":"w2"}"#),
    ("workers/w1/status/more", #"{"state":"idle","workerId":"w1"}"#),
  ])
  func whatIsNoneOfAWorkersMessagesIsPassedOver(_ topic: String, _ payload: String) {
    var roster = Roster()
    #expect(roster.take(Message(topic, payload)) == nil)
    #expect(roster.entries.isEmpty)
  }
}
