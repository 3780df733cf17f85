import Foundation
import Glibc
import MQTT
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// Results that the broker refuses although the connection works.
@Suite struct UndeliveredTests {
  private static let limited = ["MQTT_USERNAME": "limited"]

  /// An account that may publish everything but the result of one job.
  private static let rules = "user limited\ntopic readwrite #\ntopic deny jobs/results/bad"
  private static let mended = "user limited\ntopic readwrite #\n\nuser test\ntopic readwrite #\n"

  @Test func oneResultThatIsRefusedStopsNobodyAndIsPublishedWhenTheRightIsThere() async throws {
    try await Scene.play(broker: .acl(Self.rules)) { scene in
      for id in ["bad", "ok1", "ok2"] { try scene.job(id, steps: [.string(scene.noteRun)]) }
      let results = try await scene.results()
      let loops = try ["worker-01", "worker-02"].map {
        try scene.restartLoop($0, on: "$share/workers/jobs/pending", ["--lease", "1s"], environment: Self.limited)
      }
      for loop in loops { try await scene.listens(loop) }
      for id in ["bad", "ok1", "ok2"] { try await scene.send(id) }
      for id in ["ok1", "ok2"] { try await results.message(on: "jobs/results/\(id)") }
      try await scene.awaitResult("bad")
      try await eventually("the result put aside, and no claim") {
        scene.undelivered.count == 1 && scene.claims.isEmpty
      }
      #expect(results.messages(on: "jobs/results/bad").isEmpty)

      let listed = try await scene.run(["jobs", "-j", scene.jobs.string])
      #expect(listed.output.contains("bad"))
      #expect(listed.output.contains("not delivered"), "\(listed.output)")
      let status = try await scene.run(["status", "bad", "-j", scene.jobs.string])
      #expect(status.output.contains("result not delivered: publishing to 'jobs/results/bad'"), "\(status.output)")
      #expect(status.output.contains("next try"), "\(status.output)")

      try await scene.broker.reload(["acl": Self.mended])
      let message = try await results.message(on: "jobs/results/bad")
      #expect(message.json["status"] == "success")
      #expect(message.json["attempt"] == 1)
      #expect(message.retention == .retained || message.properties.messageExpiry != nil)
      try await eventually("nothing put aside") { scene.undelivered.isEmpty }
      for id in ["bad", "ok1", "ok2"] { #expect(scene.runs(id) == 1) }
      for loop in loops { #expect(loop.ends.filter { $0 == .code(77) }.count <= 1) }
      for loop in loops { try await loop.stop() }
    }
  }

  @Test func workerOfManyJobsGoesOnAndTellsInItsAuditLog() async throws {
    try await Scene.play(broker: .acl(Self.rules)) { scene in
      for id in ["bad", "ok"] { try scene.job(id, steps: [.string(scene.noteRun)]) }
      let events = try await scene.events()
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["--jobs", "0", "--lease", "1s"], environment: Self.limited)
      try await worker.listens()
      try await scene.send("bad")
      try await scene.send("ok")
      try await events.message(on: "jobs/events/ok") { $0.json["event"] == "completed" }
      #expect(events.messages(on: "jobs/events/bad").allSatisfy { $0.json["event"] != "completed" })
      try await scene.broker.reload(["acl": Self.mended])
      try await events.message(on: "jobs/events/bad") { $0.json["event"] == "completed" }
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      let audit = scene.audit().filter { $0["id"] == "bad" }.compactMap { $0["event"].string }
      #expect(audit.contains("undelivered"))
      #expect(audit.last == "published")
      #expect(worker.log.contains("result not delivered"))
    }
  }

  /// Killed after the undelivered result is written and before the claim is released, and during the next try.
  @Test func workerThatIsKilledWhileItPutsAResultAsideLosesNothing() async throws {
    try await Scene.play(broker: .acl(Self.rules)) { scene in
      try scene.job("bad", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["--lease", "1s"], environment: Self.limited, stopAt: "putAside")
      try await worker.listens()
      try await scene.send("bad")
      try await worker.process.stopped()
      worker.send(SIGKILL)
      #expect(scene.undelivered.count == 1)
      let next = try scene.worker("worker-02", on: "jobs/pending", ["--lease", "1s"], environment: Self.limited)
      #expect(try await next.end() == .code(77))
      #expect(scene.undelivered.count == 1)
      #expect(scene.claims.isEmpty)
      try await scene.broker.reload(["acl": Self.mended])
      let third = try scene.worker(
        "worker-03", on: "jobs/pending", ["--lease", "1s", "--jobs", "0"], environment: Self.limited)
      try await results.message(on: "jobs/results/bad")
      third.send(SIGTERM)
      #expect(try await third.end() == .code(0))
      #expect(scene.runs("bad") == 1)
      #expect(scene.undelivered.isEmpty)
    }
  }

  /// The result of a new run replaces one that was put aside.
  @Test func olderResultIsNotPublishedAfterANewerOne() async throws {
    try await Scene.play(broker: .acl(Self.rules)) { scene in
      try scene.job("bad", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let arguments = ["--lease", "1s"]
      let first = try scene.worker("worker-01", on: "jobs/pending", arguments, environment: Self.limited)
      try await first.listens()
      try await scene.send("bad", ["requestId": "first"])
      #expect(try await first.end() == .code(77))
      try await scene.broker.reload(["acl": Self.mended])
      // A new request runs at once, although the old result still waits.
      let second = try scene.worker(
        "worker-02", on: "jobs/pending", arguments + ["--jobs", "2"], environment: Self.limited)
      try await second.listens()
      try await scene.send("bad", ["requestId": "second"])
      try await results.message(on: "jobs/results/bad") { $0.json["requestId"] == "second" }
      try await scene.send("end", ["steps": ["sleep 6"]])
      try await results.message(on: "jobs/results/end")
      #expect(try await second.end() == .code(0))
      #expect(results.messages(on: "jobs/results/bad").last?.json["requestId"] == "second")
      #expect(scene.undelivered.isEmpty)
      #expect(scene.runs("bad") == 2)
    }
  }

  @Test func requestThatIsSentAgainIsAnsweredWhenTheBrokerTakesTheAnswer() async throws {
    try await Scene.play(broker: .acl(Self.rules)) { scene in
      try scene.job("bad", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["--lease", "1s", "--jobs", "0"], environment: Self.limited)
      try await worker.listens()
      for _ in 1...3 { try await scene.send("bad", ["requestId": "key"]) }
      try await worker.says("the request was answered before")
      try await scene.send("ok", ["steps": ["true"]])
      try await results.message(on: "jobs/results/ok")
      #expect(scene.undelivered.count == 1)
      try await scene.broker.reload(["acl": Self.mended])
      try await results.message(on: "jobs/results/bad")
      #expect(scene.runs("bad") == 1)
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  /// A rejection that may not be published blocks nobody either.
  @Test func rejectionThatIsRefusedIsAcknowledged() async throws {
    try await Scene.play(broker: .acl(Self.rules)) { scene in
      let worker = try scene.worker(environment: Self.limited)
      try await worker.listens()
      try await scene.send("bad", ["steps": "none"])
      try await scene.send("ok", ["steps": ["true"]])
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("ok")["status"] == "success")
      #expect(worker.log.contains("the rejection cannot be published"))
    }
  }

  /// Anybody with write access to the volume may put anything there.
  @Test func whatIsNoResultIsSetAside() async throws {
    try await Scene.play { scene in
      let folder = scene.jobs.appending(".worker/undelivered/jobs%2Fpending")
      try scene.write("{}", folder.appending("1.1.empty.json"))
      try scene.write("x", folder.appending("1.999999999999999999.huge.json"))
      try scene.write("x", folder.appending("9223372036854775807.999999.text.json~x"))
      try scene.write("x", folder.appending("-9223372036854775808.3.low.json"))
      try FileManager.default.createDirectory(
        atPath: folder.appending("1.1.folder.json").string, withIntermediateDirectories: false)
      #expect(mkfifo(folder.appending("1.1.fifo.json").string, 0o644) == 0)
      #expect(symlink("/etc/passwd", folder.appending("1.1.link.json").string) == 0)
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "2", "--lease", "1s"])
      for id in ["one", "two"] {
        try await worker.listens()
        try await scene.send(id, ["steps": ["true"]])
        try await scene.awaitResult(id)
      }
      #expect(try await worker.end() == .code(0))
      #expect(worker.log.contains("was set aside"))
      #expect(scene.undelivered.filter { $0.contains("/1.1.") }.isEmpty)
      try FileManager.default.removeItem(atPath: folder.string)
    }
  }

  /// A quota may be exceeded for a moment only.
  @Test func resultIsTriedOnceMoreAfterAQuota() async throws {
    let tries = Mutex(0)
    let broker = try ScriptedBroker { packet in
      guard packet.kind == .publish, packet.text.contains("jobs/results/job") else { return .bytes(packet.usualAnswer) }
      let isFirst = tries.withLock { count in
        count += 1
        return count == 1
      }
      return .bytes(isFirst ? [0x40, 4] + packet.identifier + [0x97, 0] : packet.usualAnswer)
    }
    try await Scene.play(.down) { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      try scene.write(
        #"{"payload":"{\"id\":\"job\"}","requestId":"key","topic":"jobs/pending"}"#,
        scene.jobs.appending(".worker/waiting/%24share%2Fg%2Fjobs%2Fpending/1-job.json"))
      let worker = try scene.worker(
        "worker-01", on: "$share/g/jobs/pending", ["-u", "mqtt://127.0.0.1:\(broker.port)"])
      #expect(try await worker.end() == .code(0), "\(worker.log)")
      #expect(tries.withLock(\.self) == 2 && scene.undelivered.isEmpty && scene.runs("job") == 1)
    }
  }

  /// Quota exceeded (MQTT 5, section 3.4.2.1) for one topic, permanently.
  @Test func lastingQuotaIsInTheWayOfOneResultOnly() async throws {
    let broker = try ScriptedBroker { packet in
      let isOfBad =
        packet.kind == .publish && String(decoding: packet.bytes, as: UTF8.self).contains("jobs/results/bad")
      return .bytes(isOfBad ? [0x40, 4] + packet.identifier + [0x97, 0] : packet.usualAnswer)
    }
    try await Scene.play(.down) { scene in
      try scene.job("bad", steps: [.string(scene.noteRun)])
      let folder = scene.jobs.appending(".worker/waiting/%24share%2Fg%2Fjobs%2Fpending")
      try scene.write(
        #"{"payload":"{\"id\":\"bad\"}","requestId":"key","topic":"jobs/pending"}"#, folder.appending("1-bad.json"))
      let worker = try scene.worker(
        "worker-01", on: "$share/g/jobs/pending", ["-u", "mqtt://127.0.0.1:\(broker.port)", "--lease", "1s"])
      #expect(try await worker.end() == .code(75))
      #expect(worker.log.contains("0x97"))
      #expect(scene.undelivered.count == 1)
      #expect(scene.claims.isEmpty)
      #expect(scene.result("bad")["status"] == "success")
      try FileManager.default.removeItem(atPath: scene.jobs.appending(".worker/undelivered").string)
    }
  }
}
