import Foundation
import MQTT
import SystemPackage
import TestSupport
import Testing

/// A rejected request, and the required answer.
struct BadRequest: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let payload: [UInt8]
  /// Words that the answer must contain.
  let words: [String]
  /// The topic of the answer.
  let topic: String

  init(_ name: String, _ payload: String, _ words: String..., on topic: String = "jobs/rejected") {
    self.init(name, bytes: Array(payload.utf8), words, on: topic)
  }

  init(_ name: String, bytes: [UInt8], _ words: [String], on topic: String = "jobs/rejected") {
    testDescription = name
    payload = bytes
    self.words = words
    self.topic = topic
  }

  /// Invalid ids, as JSON text.
  static let ids = [
    "../x", "a/b", "/etc", ".", "..", "a\\u0000b", "+", "#", "$", "a b", "a\\nb", "-rf", ".git", "аdmin", "job\\u202e",
    String(repeating: "x", count: 300), "",
  ]

  static let all: [BadRequest] =
    [
      BadRequest("not JSON", "run job_1 please", "JSON", "line 1"),
      BadRequest("truncated", #"{"id": "job_1""#, "JSON", "line 1"),
      BadRequest("invalid UTF-8", bytes: [UInt8](#"{"id": ""#.utf8) + [0xC3, 0x28] + [UInt8](#""}"#.utf8), ["UTF-8"]),
      BadRequest("array", #"["job_1"]"#, "array", "object"),
      BadRequest("number", "42", "42", "object"),
      BadRequest("null", "null", "null", "object"),
      BadRequest("bare string", #""job_1""#, "string", "object"),
      BadRequest("too large", #"{"id": "job_1", "x": ""# + String(repeating: "x", count: 256 << 10) + "\"}", "256 KiB"),
      BadRequest(
        "too deep",
        #"{"id": "job_1", "x": "# + String(repeating: "[", count: 10_000) + "1"
          + String(repeating: "]", count: 10_000) + "}", "deep"),
      BadRequest("key twice", #"{"id": "job_1", "id": "job_2"}"#, "\"id\"", "twice", on: "jobs/"),
      BadRequest("no id", #"{"steps": ["true"]}"#, "\"id\""),
      BadRequest("id a number", #"{"id": 7}"#, "\"id\"", "string"),
      BadRequest("id null", #"{"id": null}"#, "\"id\"", "string"),
      BadRequest("steps no array", #"{"id": "job_1", "steps": "true"}"#, "steps", "array", on: "jobs/results/job_1"),
      BadRequest("steps empty", #"{"id": "job_1", "steps": []}"#, "steps", on: "jobs/results/job_1"),
      BadRequest("step null", #"{"id": "job_1", "steps": ["a", null]}"#, "steps[1]", on: "jobs/results/job_1"),
      BadRequest("timeout soon", #"{"id": "job_1", "timeout": "soon"}"#, "timeout", on: "jobs/results/job_1"),
      BadRequest("timeout 0", #"{"id": "job_1", "timeout": 0}"#, "timeout", on: "jobs/results/job_1"),
      BadRequest("env an array", #"{"id": "job_1", "env": []}"#, "env", "object", on: "jobs/results/job_1"),
      BadRequest("env with =", #"{"id": "job_1", "env": {"A=B": "x"}}"#, "env", on: "jobs/results/job_1"),
    ] + ids.map { BadRequest("id \($0.prefix(20))", #"{"id": "\#($0)", "steps": ["true"]}"#, "\"id\"") }
}

/// Bad requests over MQTT are acknowledged and answered with a sentence. Nothing runs, nothing is made, and the worker
/// keeps waiting.
@Suite(.everyAccess) struct RejectedRequestTests {
  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending"])
  func badRequestsAreAnsweredAndDoNoHarm(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.write("untouched", scene.files.appending("victim"))
      try scene.job("good", steps: ["true"])
      let outside = scene.listing(scene.root).filter { $0.hasPrefix("jobs") || $0.hasPrefix("files/victim") }
      let bus = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker(on: filter)
      try await worker.listens()
      let before = scene.volume

      for request in BadRequest.all {
        bus.clear()
        try await scene.broker.publish([Message(topic: "jobs/pending", payload: request.payload)])
        let answer = try await bus.message { $0.json["status"] == "rejected" }
        let sentence = answer.json["error"].string ?? ""
        #expect(answer.topic.hasPrefix(request.topic), "\(request.testDescription)")
        #expect(answer.retention == .notRetained)
        for word in request.words {
          #expect(sentence.contains(word), "\(request.testDescription): \(sentence)")
        }
        #expect(!sentence.contains("\n") && sentence.utf8.count < 2000, "\(request.testDescription)")
        #expect(answer.json["manifestFile"] == .null && answer.json["exitCode"] == .null)
      }
      #expect(worker.process.end == nil)
      #expect(scene.volume == before)
      #expect(Set(outside).isSubset(of: scene.listing(scene.root)))
      #expect(scene.claims.isEmpty)
      #expect(scene.workspacesLeft.isEmpty)

      try await scene.send("good")
      try await bus.message(on: "jobs/results/good") { $0.json["status"] == "success" }
      #expect(try await worker.end() == .code(0))
      try await scene.broker.session(of: "worker-01") { $0?.queued == 0 }
    }
  }

  @Test func emptyPayloadIsIgnored() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let bus = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", "")
      try await scene.send("job")
      try await bus.message(on: "jobs/results/job")
      #expect(try await worker.end() == .code(0))
      #expect(!bus.messages.contains { $0.json["status"] == "rejected" || $0.json["event"] == "rejected" })
    }
  }

  @Test func byteOrderMarkIsAccepted() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", "\u{FEFF}{\"id\":\"job\"}")
      #expect(try await results.message().json["status"] == "success")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func mistypedKeysAreToldWithWhatWasMeant() async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": ["true"], "timout": "1h"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", ["evn": "x"])
      #expect(try await worker.end() == .code(0))
      let warnings = [
        #"request: the key evn is unknown and has no effect; did you mean "env"? (line 1, column "#,
        #"job.json: the key timout is unknown and has no effect; did you mean "timeout"? (line 1, column "#,
      ]
      for warning in warnings {
        #expect(
          worker.logLines.contains { $0["level"] == "warning" && ($0["message"].string ?? "").hasPrefix(warning) })
      }
      let told = scene.result("job")["warnings"].elements.compactMap(\.string)
      #expect(told.count == 2 && zip(told, warnings).allSatisfy { $0.hasPrefix($1) }, "\(told)")
      let status = try await scene.run(["status", "job", "-j", scene.jobs.string])
      #expect(status.output.contains("warning:    \(warnings[1])"), "\(status.output)")
    }
  }

  @Test func refusalNamesTheMistypedKey() async throws {
    try await Scene.play(.down) { scene in
      try scene.write(#"{"id":"hello","stpes":["true"]}"#, scene.files.appending("payload.json"))
      let run = try await scene.run([
        "--dry-run", "--payload", scene.files.appending("payload.json").string, "-j", scene.jobs.string, "-w",
        scene.workspaces.string,
      ])
      #expect(run.end == .code(65))
      let error = try #require(try JSON(Data(run.output.utf8))["error"].string)
      #expect(
        error.hasSuffix(
          #"; the request's key stpes is unknown and has no effect; did you mean "steps"? (line 1, column 15)"#))
      #expect(run.errors.contains("stpes"))
    }
  }

  @Test func unknownKeysAreRunWithAWarning() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", ["priority": 1])
      #expect(try await worker.end() == .code(0))
      #expect(worker.logLines.contains { $0["level"] == "warning" && $0["message"].text.contains("priority") })
      #expect(scene.result("job")["status"] == "success")
    }
  }

  @Test func jobThatIsNotThereIsRejectedAfterAGrace() async throws {
    try await Scene.play { scene in
      let bus = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker()
      try await worker.listens()
      let before = scene.volume
      let start = ContinuousClock.now
      try await scene.send("nowhere")
      let answer = try await bus.message(on: "jobs/results/nowhere")
      #expect(ContinuousClock.now - start >= .seconds(5))
      #expect(answer.json["status"] == "rejected")
      #expect(answer.json["error"].text.contains("job-not-found"))
      try await bus.message(on: "jobs/events/nowhere") { $0.json["event"] == "rejected" }
      #expect(worker.process.end == nil)
      #expect(scene.volume == before)
    }
  }

  @Test func folderThatComesALittleLateIsFound() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("late")
      try await scene.broker.logged("Sending PUBLISH to worker-01 ")
      let folder = scene.files.appending("late")
      try scene.write(#"{"steps":["true"]}"#, folder.appending("job.json"))
      try FileManager.default.moveItem(atPath: folder.string, toPath: scene.jobs.appending("late").string)
      #expect(try await results.message().json["status"] == "success")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func folderThatIsALinkOutOfTheVolumeIsRefused() async throws {
    try await Scene.play { scene in
      let outside = scene.files.appending("outside")
      try scene.write(#"{"steps":["touch here"]}"#, outside.appending("job.json"))
      try FileManager.default.createSymbolicLink(
        atPath: scene.jobs.appending("linked").string, withDestinationPath: outside.string)
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("linked")
      let answer = try await results.message()
      #expect(answer.json["status"] == "rejected")
      #expect(answer.json["error"].text.contains("symbolic link"))
      #expect(scene.listing(outside) == ["job.json"])
    }
  }
}
