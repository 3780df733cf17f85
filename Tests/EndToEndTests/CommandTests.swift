import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// The commands to a worker over MQTT.
@Suite(.everyAccess) struct CommandTests {
  @Test func everyLivingWorkerAnswersACommandToAll() async throws {
    try await Scene.play { scene in
      let workers = try (1...4).map { try scene.worker("worker-\($0)", on: group, ["--lease", "5s"]) }
      for worker in workers {
        try await scene.hearsCommands(worker)
        try await worker.listens()
      }
      try await scene.hold("job")
      let answers = try await scene.broker.collect("replies/#")
      try await scene.command("health-check", responseTopic: "replies/here")
      try await answers.messages(4)
      let states = Dictionary(
        uniqueKeysWithValues: answers.messages.map { ($0.json["workerId"].string, $0.json["state"].string) })
      #expect(states.keys.compactMap(\.self).sorted() == workers.map(\.id))
      #expect(states.values.filter { $0 == "busy" }.count == 1)
      #expect(answers.messages.allSatisfy { $0.properties.correlationData == [7] })
      try scene.open("job")
    }
  }

  /// MQTT 3.1.1 has no Response Topic.
  @Test func commandOfA311ClientIsAnsweredBesideIt() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(["-v", "4"])
      try await scene.broker.logged("Sending SUBACK to worker-01-control\n")
      let answers = try await scene.broker.collect("workers/worker-01/answers", version: .v311)
      for (command, key) in [("version-report", "version"), ("status-report", "status"), ("no such", "error")] {
        try await scene.broker.publish(
          "workers/worker-01/command", #"{"command":"\#(command)"}"#, version: .v311)
        let answer = try await answers.message { $0.json[key] != .null }.json
        #expect(answer["workerId"] == "worker-01")
      }
      #expect(answers.messages.last?.json["error"].string?.contains(#""config-reload""#) == true)
      #expect(worker.process.end == nil)
    }
  }

  @Test(arguments: [("drain", "left"), ("config-reload", "away")])
  func idleWorkerThatIsToldToEndsLeavesWhatIsNotItsOwn(_ command: String, _ reason: String) async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(["--jobs", "0"])
      try await scene.hearsCommands(worker)
      try await scene.command(command, to: "worker-01")
      #expect(try await worker.end() == .code(0))
      let status = try await scene.status(of: "worker-01") { $0["state"] == "offline" }
      #expect(status["reason"] == .string(reason))
      try scene.job("job", steps: ["true"])
      try await scene.send("job")
      try await scene.broker.session(of: "worker-01") { $0?.queued == 1 }
      #expect(try await scene.worker([]).end() == .code(0))
    }
  }

  @Test(arguments: ["drain", "config-reload"])
  func busyWorkerFinishesItsJobAndEndsForAllItsLives(_ command: String) async throws {
    try await Scene.play { scene in
      try scene.job("next", steps: ["true"])
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "0"])
      try await scene.hearsCommands(worker)
      try await worker.listens()
      try await scene.hold("job")
      try await scene.send("next")
      let answers = try await scene.broker.collect("workers/worker-01/answers")
      try await scene.command(command, to: "worker-01")
      #expect(try await answers.message().json["outcome"] == "later")
      #expect(worker.process.end == nil)
      try scene.open("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.result("next") == .null)
      // The command was for one process: the next one works on.
      let next = try scene.worker([])
      #expect(try await next.end() == .code(0))
      #expect(scene.result("next")["status"] == "success")
    }
  }

  @Test func haltedWorkerObeysToo() async throws {
    try await Scene.play { scene in
      try scene.write("", scene.jobs.appending("KILLSWITCH"))
      let worker = try scene.worker([])
      try await scene.status(of: "worker-01") { $0["state"] == "halted" }
      try await scene.hearsCommands(worker)
      let answers = try await scene.broker.collect("workers/worker-01/answers")
      try await scene.command("health-check", to: "worker-01")
      #expect(try await answers.message().json["state"] == "halted")
      try await scene.command("drain", to: "worker-01")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test(arguments: ["worker-01", "all"])
  func commandThatIsSentBetweenTwoLivesReachesTheNext(_ name: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let first = try scene.worker([])
      try await scene.hearsCommands(first)
      try await first.listens()
      try await scene.send("job")
      #expect(try await first.end() == .code(0))
      try await scene.command("drain", to: name)
      let second = try scene.worker([])
      #expect(try await second.end() == .code(0))
      // The third process does not get the command any more.
      let third = try scene.worker([])
      try await scene.hearsCommands(third)
      #expect(third.process.end == nil)
    }
  }

  /// A worker that has left gets no commands: a command to all workers is not meant for its next life.
  @Test func workerThatLeftIsNotReached() async throws {
    try await Scene.play { scene in
      let first = try scene.worker([])
      try await scene.hearsCommands(first)
      first.send(SIGTERM)
      #expect(try await first.end() == .code(0))
      try await scene.broker.session(of: "worker-01-control") { $0 == nil }
      try await scene.command("drain")
      let second = try scene.worker([])
      try await scene.hearsCommands(second)
      #expect(second.process.end == nil)
    }
  }

  @Test func retainedCommandDoesNothing() async throws {
    try await Scene.play { scene in
      try await scene.broker.publish("workers/all/command", #"{"command":"drain"}"#, .retained)
      let worker = try scene.worker([])
      try await worker.says("ignored a retained command on 'workers/all/command'")
      try await scene.hearsCommands(worker)
      try await scene.broker.publish("workers/worker-01/command", #"{"command":"drain"}"#, .retained)
      try await worker.says("ignored a retained command on 'workers/worker-01/command'")
      #expect(worker.process.end == nil)
    }
  }

  @Test func nobodyIsCalledAll() async throws {
    try await Scene.play(.down) { scene in
      let end = try await scene.run(["-i", "all"])
      #expect(end.end == .code(64))
      #expect(end.errors.contains("workers/all/command goes to all workers"))
    }
  }
}

extension Scene {
  /// Waits until the broker has accepted the worker's subscriptions to commands.
  func hearsCommands(_ worker: WorkerProcess) async throws {
    try await eventually("an answer of \(worker.id)") {
      if let end = worker.process.end { throw WaitedInVain("\(worker.id) ended with \(end): \(worker.log)") }
      let answers = try await broker.collect("replies/probe")
      for topic in ["workers/all/command", "workers/\(worker.id)/command"] {
        try await broker.publish(
          topic, #"{"command":"health-check"}"#,
          properties: MessageProperties(responseTopic: "replies/probe", messageExpiry: 5))
      }
      return
        (try? await answers.messages(2, within: .milliseconds(500)) {
          $0.json["workerId"] == .string(worker.id)
        }) != nil
    }
  }

  /// Sends a command to a worker, or to all.
  func command(_ word: String, to worker: String = "all", responseTopic: String? = nil) async throws {
    try await broker.publish(
      "workers/\(worker)/command", #"{"command":"\#(word)"}"#,
      properties: MessageProperties(responseTopic: responseTopic, correlationData: [7]))
  }
}
