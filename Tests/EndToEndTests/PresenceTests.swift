import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// A worker's status as a subscriber sees it.
@Suite struct PresenceTests {
  @Test func waitingWorkerSaysHowItIs() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker("worker-01", on: group, ["--heartbeat", "1h"])
      try await scene.status(of: "worker-01") { $0["state"] == "idle" }
      let late = try await scene.broker.collect("workers/+/status")
      let message = try await late.message()
      #expect(message.topic == "workers/worker-01/status")
      #expect(message.retention == .retained && message.qos == .atLeastOnce)
      #expect(message.properties.contentType == "application/json")
      let status = message.json
      #expect(status["workerId"] == "worker-01")
      #expect(status["topic"] == .string(group))
      #expect(status["pid"] == .number(Double(worker.pid)))
      #expect(status["host"] == .string(ProcessInfo.processInfo.hostName))
      #expect(status["version"].string?.isEmpty == false)
      #expect(status["since"].string?.hasSuffix("Z") == true)
      #expect(status["heartbeat"] == 3600)
      for key in ["load", "memory", "memoryFree", "jobsFree", "workspacesFree"] {
        #expect(status[key].number != nil, "\(key)")
      }
      #expect(status.keys.isDisjoint(with: ["job", "step", "attempt", "reason"]))
    }
  }

  @Test func statusFollowsTheJobAndHoldsNothingOfIt() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo secret", .string(scene.waitForGate)])
      let bus = try await scene.broker.collect("workers/+/status")
      let worker = try scene.worker(["--heartbeat", "1h"])
      try await bus.message { $0.json["state"] == "idle" }
      try await scene.send("job")
      let busy = try await bus.message { $0.json["step"] == 1 }
      #expect(busy.json["state"] == "busy")
      #expect(busy.json["job"] == "job")
      #expect(busy.json["attempt"] == 1)
      try scene.openGate()
      #expect(try await worker.end() == .code(0))
      let last = try await bus.message { $0.json["state"] == "offline" }
      #expect(last.json["reason"] == "away")
      #expect(last.properties.messageExpiry.map { (1...300).contains($0) } == true)
      #expect(bus.messages.allSatisfy { $0.json["job"] == ($0.json["state"] == "busy" ? "job" : .null) })
      #expect(!bus.messages.contains { $0.text.contains("secret") })
    }
  }

  @Test func workerThatIsKilledIsOfflineAtOnce() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker([])
      try await scene.status(of: "worker-01") { $0["state"] == "idle" }
      try await worker.kill()
      let status = try await scene.status(of: "worker-01") { $0["state"] == "offline" }
      #expect(status["reason"] == "lost")
      #expect(status["pid"] == .number(Double(worker.pid)))
      // The status stays for a day, for an operator who looks tomorrow, but not for ever.
      let late = try await scene.broker.collect("workers/worker-01/status")
      let expiry = try #require(try await late.message().properties.messageExpiry)
      #expect((86000...86400).contains(expiry))
      let next = try scene.worker([])
      try await scene.status(of: "worker-01") { $0["state"] == "idle" && $0["pid"] == .number(Double(next.pid)) }
    }
  }

  @Test(arguments: ["5", "4"])
  func workerThatIsToldToStopLeavesNoGhost(_ version: String) async throws {
    try await Scene.play { scene in
      let bus = try await scene.broker.collect("workers/+/status")
      let worker = try scene.worker(["-v", version])
      try await bus.message { $0.json["state"] == "idle" }
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      if version == "5" {
        let last = try await bus.message { $0.json["state"] == "offline" }
        #expect(last.json["reason"] == "left")
        #expect(last.properties.messageExpiry.map { (1...60).contains($0) } == true)
      } else {
        // MQTT 3.1.1 has no expiry: the worker clears the topic.
        try await bus.message { $0.payload.isEmpty }
        let late = try await scene.broker.collect("workers/+/status")
        try await scene.broker.publish("workers/x/status", "end")
        try await late.message { $0.text == "end" }
        #expect(late.messages.count == 1)
      }
    }
  }

  @Test func killSwitchShows() async throws {
    try await Scene.play { scene in
      let killSwitch = scene.jobs.appending("KILLSWITCH")
      try scene.write("", killSwitch)
      let worker = try scene.worker([])
      try await scene.status(of: "worker-01") { $0["state"] == "halted" }
      try scene.remove(killSwitch)
      try await scene.status(of: "worker-01") { $0["state"] == "idle" }
      try await worker.listens()
    }
  }

  @Test func killSwitchShowsToWaitingWorkersWithinAThirdOfALease() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(["--lease", "1s", "--heartbeat", "1h"])
      try await worker.listens()
      try await scene.status(of: "worker-01") { $0["state"] == "idle" }
      try scene.write("", scene.jobs.appending("KILLSWITCH"))
      try await scene.status(of: "worker-01") { $0["state"] == "halted" }
      try scene.remove(scene.jobs.appending("KILLSWITCH"))
      try await scene.status(of: "worker-01") { $0["state"] == "idle" }
    }
  }

  @Test func statusIsThereAgainAfterTheBrokerForgotIt() async throws {
    var options = Broker.Options()
    options.persistence = .none
    try await Scene.play(broker: options) { scene in
      let worker = try scene.worker(["--heartbeat", "1h"])
      try await worker.listens()
      try await scene.broker.restart()
      try await scene.status(of: "worker-01") { $0["state"] == "idle" }
      #expect(worker.process.end == nil)
    }
  }

  /// The process continues with the next job, so no status says that the worker left.
  @Test func workerThatStartsAgainInPlaceIsNeverOffline() async throws {
    try await Scene.play { scene in
      for id in ["one", "two"] { try scene.job(id, steps: ["true"]) }
      let bus = try await scene.broker.collect("workers/+/status")
      let worker = try scene.worker(["--jobs", "2"])
      try await worker.listens()
      try await scene.send("one")
      try await scene.send("two")
      #expect(try await worker.end() == .code(0))
      let last = try await bus.message { $0.json["state"] == "offline" }
      #expect(last.json["reason"] == "away")
      #expect(bus.messages.filter { $0.json["state"] == "offline" }.count == 1)
    }
  }

  @Test(arguments: ["0", "soon", "0.5s", "2d"]) func heartbeatMustMakeSense(_ heartbeat: String) async throws {
    try await Scene.play(.down) { scene in
      let end = try await scene.run(["--heartbeat", heartbeat])
      #expect(end.end == .code(64))
      #expect(end.errors.contains("heartbeat"))
    }
  }
}

extension Scene {
  /// Waits until a new subscriber sees a status for which `condition` holds, and returns it.
  @discardableResult
  func status(
    of worker: String, within limit: Duration = patience, _ condition: (JSON) -> Bool
  ) async throws -> JSON {
    try await broker.collect("workers/\(worker)/status").message(within: limit) { condition($0.json) }.json
  }
}
