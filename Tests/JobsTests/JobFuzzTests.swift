import TestSupport
import Testing

@testable import Jobs

/// 100,000 payloads and definitions, made from valid ones by seeded damage. Each is read, or rejected with a sentence.
struct JobFuzzTests {
  @Test func damagedPayloadIsReadOrRefusedAndNoIDBreaksTheRule() throws {
    var damage = Damage(seed: 2026, seeds: payloads)
    var taken = 0
    var faults: [String] = []
    for _ in 0..<50_000 {
      let bytes = damage.next()
      let isSound: Bool
      do {
        let request = try JobRequest(payload: bytes)
        taken += 1
        isSound =
          obeysTheRule(request.id.text) && request.steps.map(areSound) ?? true
          && request.timeout.map { $0 > .zero } ?? true
      } catch {
        isSound =
          (1..<2000).contains(error.description.utf8.count) && error.id.map { obeysTheRule($0.text) } ?? true
      }
      if !isSound { faults.append(String(decoding: bytes, as: UTF8.self)) }
    }
    #expect(faults == [])
    #expect((100..<49_900).contains(taken), "the damage is too much or too little to try anything")
  }

  @Test func damagedDefinitionIsReadOrRefused() throws {
    var damage = Damage(seed: 2027, seeds: definitions)
    var taken = 0
    var faults: [String] = []
    for _ in 0..<50_000 {
      let bytes = damage.next()
      let isSound: Bool
      do {
        let definition = try JobDefinition(json: bytes)
        taken += 1
        isSound = areSound(definition.steps)
      } catch {
        isSound = error.description.hasPrefix("job.json") && error.description.utf8.count < 2000
      }
      if !isSound { faults.append(String(decoding: bytes, as: UTF8.self)) }
    }
    #expect(faults == [])
    #expect((100..<49_900).contains(taken), "the damage is too much or too little to try anything")
  }

  /// The rule for ids again, as a table of bytes.
  private func obeysTheRule(_ id: String) -> Bool {
    let bytes = Array(id.utf8)
    return (1...128).contains(bytes.count) && letters.contains(bytes[0])
      && bytes.allSatisfy { letters.contains($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D }
  }

  private let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)

  private func areSound(_ steps: [Step]) -> Bool {
    !steps.isEmpty
      && steps.allSatisfy { step in
        !step.run.isEmpty && !step.run.utf8.contains(0) && !step.shell.isEmpty
          && !(step.workingDirectory?.split(separator: "/").contains("..") ?? false)
          && step.environment.allSatisfy { name, value in
            !name.isEmpty && !name.contains("=") && !(name + value).utf8.contains(0)
          }
      }
  }

  private let payloads = [
    #"{"id":"job_2026_01"}"#,
    #"{"id":"a.b-c","steps":["echo \"x\"",{"run":"make","env":{"A":"1"},"timeout":"1h30m"}],"requestId":"r\u00e9"}"#,
    #"{"id":"x","env":{"MODE":"release","B":""},"timeout":90.5,"other":[null,true,false,-1.5e3,{"a":{}}]}"#,
    #"{"id":"\u0061\ud83d\ude00","steps":[{"run":"x","workingDirectory":"a/b","shell":["bash","-c"],"always":true}]}"#,
    "\u{FEFF} { \"id\" : \"é\" ,\r\n\t\"steps\" : [ ] } ",
  ]

  private let definitions = [
    #"{"steps":["npm ci",{"name":"build","run":"make","timeout":"10m","env":{"CC":"clang"},"workingDirectory":"src"}]}"#,
    #"{"steps":["x",{"run":"y","shell":["bash","-euo"],"continueOnError":true,"always":false}],"maxAttempts":1}"#,
    "{\n \"steps\": [\n  \"make\",\n  \"make test\"\n ],\n \"env\": {\"MODE\": \"é\"},\n \"timeout\": 3600\n}\n",
  ]
}
