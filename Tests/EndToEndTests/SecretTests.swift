import Foundation
import MQTT
import SystemPackage
import TestSupport
import Testing

/// The worker's credentials for its broker and the secrets of its jobs appear nowhere else.
@Suite struct SecretTests {
  /// How a worker gets its password.
  enum Way: CaseIterable {
    case flag, joinedFlag, urlFlag, variable, urlVariable, file, fileVariable
  }

  /// The test looks at every process while a step runs, in the worker's first life and in the next.
  @Test(arguments: Way.allCases)
  func secretsShowNowhere(_ way: Way) async throws {
    try await Scene.play(broker: Broker.Options(.locked)) { scene in
      let password = try scene.broker.password(of: "worker")
      let (arguments, variables) = given(password, way, scene.broker)
      let keyFile = try #require(scene.broker.workerEnvironment["MQTT_KEYFILE"])
      let key = try #require(
        try String(contentsOfFile: keyFile, encoding: .utf8).split(separator: "\n").dropFirst().first)
      let everything = try await scene.broker.collect("#")
      let spy = "ps axeww; for p in $PPID self; do cat /proc/$p/environ /proc/$p/cmdline; done"
      for id in ["first", "second"] {
        try scene.job(
          id,
          steps: [
            .string("(\(spy)) > seen.txt 2>&1; env > env.txt; echo $DEPLOY_TOKEN; \(scene.waitForGate)"),
            .string("echo $DEPLOY_TOKEN >&2; exit 3"),
          ])
      }
      let worker = try scene.worker(
        ["--jobs", "2", "--log-level", "trace"] + arguments,
        environment: ["DEPLOY_TOKEN": "t0ken-of-the-job"].merging(variables) { $1 })
      try await worker.listens()
      for id in ["first", "second"] {
        try await scene.send(id)
        try await eventually("the step of \(id)") { scene.log(id) == "***\n" }
        let processes = scene.processes
        #expect(processes.count >= 2, "the worker and its step")
        for process in processes {
          let shown = ProcessEntry.arguments(of: process.pid) + ProcessEntry.environment(of: process.pid)
          #expect(!shown.contains { $0.contains(password) || $0.contains(key) }, "\(process)")
        }
        try scene.openGate()
        try await everything.message(on: "jobs/results/\(id)")
        try scene.closeGate()
      }
      #expect(try await worker.end() == .code(0))
      #expect(worker.log.contains("process list") == [.flag, .joinedFlag, .urlFlag].contains(way))

      for id in ["first", "second"] {
        #expect(scene.text(id, "results/env.txt")?.contains("MQTT_") == false)
      }
      let files = scene.listing(scene.jobs).filter { !$0.hasSuffix("/") }
      let shown = files.map { ($0, scene.text(".", $0) ?? "") }
      let told = everything.messages.map { ($0.topic, $0.text + "\($0.properties)") }
      for (place, text) in shown + told + [
        ("log", worker.log), ("stdout", worker.output), ("broker", scene.broker.log),
      ] {
        #expect(!text.contains(password) && !text.contains(key), "\(place)")
        // The job may write its own secret into its own file.
        if !place.hasSuffix("/seen.txt"), !place.hasSuffix("/env.txt") {
          #expect(!text.contains("t0ken-of-the-job"), "\(place)")
        }
      }
    }
  }

  private func given(_ password: String, _ way: Way, _ broker: Broker) -> ([String], [String: String]) {
    let url = "mqtts://worker:\(password)@localhost:\(broker.port)"
    let none = ["MQTT_PASSWORD_FILE": ""]
    switch way {
    case .flag: return (["--password", password], none)
    case .joinedFlag: return (["--password=\(password)"], none)
    case .urlFlag: return (["-u", url], none.merging(["MQTT_USERNAME": ""]) { $1 })
    case .variable: return ([], none.merging(["MQTT_PASSWORD": password]) { $1 })
    case .urlVariable: return ([], none.merging(["MQTT_USERNAME": "", "MQTT_URL": url]) { $1 })
    case .file: return (["--password-file", broker.workerEnvironment["MQTT_PASSWORD_FILE"] ?? ""], none)
    case .fileVariable: return ([], [:])
    }
  }
}
