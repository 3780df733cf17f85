import MQTT
import TestSupport
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

/// 40,000 messages, made from those of workers by seeded damage, as any client may publish them. Each is either taken
/// or ignored.
@Suite struct BusFuzzTests {
  private let statuses = [
    #"{"heartbeat":15,"host":"h","job":"job_1","attempt":1,"step":0,"load":0.25,"memory":12345,"memoryFree":99,"#
      + #""jobsFree":1000000,"workspacesFree":5,"pid":7,"since":"2026-01-01T00:00:00.000Z","state":"busy","#
      + #""time":"2026-01-01T00:01:00.000Z","topic":"$share/g/jobs","version":"0.1.0","workerId":"w1"}"#,
    #"{"reason":"lost","state":"offline","workerId":"w1"}"#,
    #"{"heartbeat":1.5,"state":"halted","reason":"x","workerId":"w1"}"#,
  ]
  private let answers = [
    #"{"command":"status-report","outcome":"done","state":"idle","time":"2026-01-01T00:00:00.000Z","workerId":"w1","#
      + #""status":{"state":"idle","workerId":"w1","heartbeat":15}}"#
  ]
  private let results = [
    #"{"attempt":1,"durationMs":1200,"error":"step 0 failed","exitCode":3,"id":"job","manifestFile":"results/result.json","#
      + #""requestId":"r","status":"failed","tail":"x\ny","workerId":"w1"}"#
  ]
  private let events = [
    #"{"attempt":1,"durationMs":12,"event":"step","exitCode":0,"id":"job","name":"build","requestId":"r","status":"success","#
      + #""step":0,"time":"2026-01-01T00:00:00.000Z","workerId":"w1"}"#,
    #"{"bytes":12345,"event":"progress","files":3,"id":"job","phase":"stage","time":"x","workerId":"w1"}"#,
  ]

  @Test func statusesAndAnswersMakeARoster() {
    var random = SeededRandom(seed: 1)
    var taken = 0
    for (topic, seeds) in [("workers/w1/status", statuses), ("workers/w1/answers", answers)] {
      var damage = Damage(seed: 2030, seeds: seeds)
      var roster = Roster()
      for _ in 0..<10_000 {
        var message = Message(topic: topic, payload: damage.next())
        message.properties.messageExpiry = [nil, 0, 1, 46, .max].randomElement(using: &random) ?? nil
        let now = ContinuousClock.now
        if roster.take(message, at: now) != nil { taken += 1 }
        for entry in roster.entries.values {
          _ = entry.isAlive(at: now)
          _ = entry.began.map { now - $0 }
        }
        _ = roster.silent
      }
    }
    #expect((100..<19_900).contains(taken), "the damage is too much or too little to try anything")
  }

  @Test func resultsAndEventsAreRead() {
    var read = 0
    var damage = Damage(seed: 2031, seeds: results)
    for _ in 0..<10_000 where ResultMessage(payload: damage.next()) != nil { read += 1 }
    damage = Damage(seed: 2032, seeds: events)
    for _ in 0..<10_000 where JobEvent(payload: damage.next()) != nil { read += 1 }
    #expect((100..<19_900).contains(read), "the damage is too much or too little to try anything")
  }

  @Test(arguments: ["[", #"{"a":"#, #"{"state":"#]) func nestingWithoutEndIsNoMessage(_ piece: String) {
    let payload = Array(String(repeating: piece, count: 60_000 / piece.utf8.count).utf8)
    #expect(WorkerStatus(payload: payload) == nil && CommandAnswer(payload: payload) == nil)
    #expect(ResultMessage(payload: payload) == nil && JobEvent(payload: payload) == nil)
  }
}
