import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// `mqtt-fs-worker workers`, which always shows every worker.
@Suite struct WorkersCommandTests {
  @Test func thirtyFourWorkersAreListedAndThoseThatAreKilledAreOffline() async throws {
    try await Scene.play { scene in
      let workers = try (1...34).map { try scene.worker("worker-\($0)", on: group, ["--lease", "60s"]) }
      for worker in workers { try await worker.listens() }
      let ids = Set(workers.map(\.id))
      let all = try await scene.listed { Set($0.map { $0["workerId"].string }) == ids }
      #expect(all.allSatisfy { $0["alive"] == true && $0["answered"] == true && $0["state"] == "idle" })

      let killed = workers.prefix(10)
      for worker in killed { try await worker.kill() }
      // After one and a half keep-alives at the latest.
      let after = try await scene.listed(within: .milliseconds(22500)) {
        $0.filter { $0["state"] == "offline" }.count == killed.count
      }
      #expect(after.count == 34)
      #expect(
        Set(after.filter { $0["alive"] == false }.map { $0["workerId"].string }) == Set(killed.map { $0.id }))
      #expect(after.filter { $0["reason"] == "lost" }.allSatisfy { $0["forSeconds"].number != nil })

      for worker in workers.dropFirst(10) { worker.send(SIGTERM) }
      for worker in workers.dropFirst(10) { #expect(try await worker.end() == .code(0)) }
      let left = try await scene.listed { $0.count == killed.count }
      #expect(left.allSatisfy { $0["state"] == "offline" })
    }
  }

  @Test func tableIsForPeople() async throws {
    try await Scene.play { scene in
      let first = try scene.worker("worker-10", on: group, [])
      let second = try scene.worker("worker-9", on: group, [])
      for worker in [first, second] { try await worker.listens() }
      _ = try await scene.listed { $0.count == 2 }
      try await scene.hold("job")
      let table = try await eventually("a busy worker in the table") {
        let table = try await scene.workers()
        return table.output.contains("busy") ? table : nil
      }
      let lines = table.output.split(separator: "\n")
      #expect(lines.count == 3)
      #expect(lines[0].hasPrefix("WORKER ") && lines[0].contains("FREE ON JOBS DIR"))
      #expect(lines[0].contains("  TOPIC         GROUP") && lines[1].contains("  jobs/pending  "), "\(table.output)")
      #expect(lines[1].hasPrefix("worker-9 ") && lines[2].hasPrefix("worker-10 "))
      #expect(lines.contains { $0.contains(" busy ") && $0.contains(" job ") })
      #expect(table.errors == "2 workers: 1 idle, 1 busy\n")
      try scene.open("job")
    }
  }

  @Test func drainedWorkerLeavesAfterItsJob() async throws {
    try await Scene.play { scene in
      let busy = try scene.worker("busy", on: group, [])
      try await busy.listens()
      try await scene.hold("job")
      let idle = try scene.worker("idle", on: group, [])
      try await idle.listens()
      _ = try await scene.listed { $0.filter { $0["answered"] == true }.count == 2 }
      let nobody = try scene.client(["drain", "other"])
      #expect(try await nobody.end() == .code(66))
      #expect(nobody.errors.contains("there is no worker other"))
      let drain = try scene.client(["drain", "busy"])
      #expect(try await drain.end() == .code(0), "\(drain.errors)")
      #expect(drain.output == "busy leaves when its job has ended\n")
      let list = try await scene.listed { $0.contains { $0["leaving"] == "drain" } }
      #expect(list.first { $0["leaving"] == "drain" }?["workerId"] == "busy")
      #expect(try await scene.workers().output.contains("drained: leaves after its job"))
      let all = try scene.client(["drain", "all"])
      #expect(try await all.end() == .code(0), "\(all.errors)")
      #expect(all.output == "busy leaves when its job has ended\nidle leaves\n")
      #expect(try await idle.end() == .code(0))
      #expect(busy.process.end == nil)
      try scene.open("job")
      #expect(try await busy.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  @Test func frozenWorkerIsMarked() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker([])
      try await worker.listens()
      _ = try await scene.listed { $0.count == 1 && $0[0]["answered"] == true }
      try await worker.freeze()
      let table = try await scene.workers("--wait", "1s")
      #expect(table.output.contains("no answer"))
      worker.thaw()
    }
  }

  @Test func nobodyIsNobody() async throws {
    try await Scene.play { scene in
      let table = try await scene.workers()
      #expect(table.end == .code(0))
      #expect(table.output.isEmpty)
      #expect(table.errors == "0 workers\n")
      #expect(try await scene.workers("--json").output == "[]\n")
    }
  }

  /// A client that may publish there must not be able to control the reader's terminal.
  @Test func foreignTextIsShownAsText() async throws {
    try await Scene.play { scene in
      let status: JSON = ["state": "idle", "workerId": "w", "host": "a\u{1B}[2Jb\n", "job": "\u{202E}job"]
      try await scene.broker.publish("workers/w/status", status.text, .retained)
      let table = try await scene.workers("--wait", "1s")
      #expect(table.output.contains(#"a\u{001B}[2Jb\n"#))
      #expect(!table.output.unicodeScalars.contains("\u{1B}") && !table.output.unicodeScalars.contains("\u{202E}"))
    }
  }

  @Test func watchShowsWhatChanges() async throws {
    try await Scene.play { scene in
      let watch = try scene.start(
        WorkerProcess.executable, ["workers", "--watch", "--json", "-u", scene.broker.url], name: "watch")
      let worker = try scene.worker([])
      try await eventually("an idle worker") { watch.output.contains(#""state":"idle""#) }
      worker.send(SIGTERM)
      try await eventually("its departure") { watch.output.contains(#"{"state":"gone","workerId":"worker-01"}"#) }
      watch.send(SIGINT)
      #expect(try await watch.end() == .signal(SIGINT))
    }
  }

  @Test func brokerThatIsNotThereIsSaidSoon() async throws {
    try await Scene.play(.down) { scene in
      let end = try await scene.run(["workers", "-u", scene.broker.url, "--connect-timeout", "1s"])
      #expect(end.end == .code(69))
    }
  }
}

extension Scene {
  fileprivate func workers(_ arguments: String...) async throws -> (end: ProcessEnd, output: String, errors: String) {
    try await run(["workers", "-u", broker.url] + arguments)
  }

  /// Waits until `condition` holds for the list.
  fileprivate func listed(
    within limit: Duration = patience, _ condition: ([JSON]) -> Bool
  ) async throws -> [JSON] {
    try await eventually("the list of workers", within: limit) {
      let list = try JSON(Data(try await workers("--json").output.utf8)).elements
      return condition(list) ? list : nil
    }
  }
}
