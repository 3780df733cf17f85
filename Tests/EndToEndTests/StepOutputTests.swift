import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A step's output and its environment.
@Suite struct StepOutputTests {
  /// DESIGN.md promises 200 ms; the bound leaves room for a machine that is busy with other tests.
  @Test func lineIsInTheLogSoonAfterItWasWritten() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job", steps: ["for i in 1 2 3 4 5 6 7 8; do date +%s%N; until [ -e \"$GATE$i\" ]; do :; done; done"])
      let gate = scene.files.appending("gate")
      let worker = try scene.worker(environment: ["GATE": gate.string])
      try await worker.listens()
      try await scene.send("job")
      var delays: [Double] = []
      for count in 1...8 {
        let line = try await eventually("line \(count) in the log") {
          let lines = scene.log("job").split(separator: "\n")
          return lines.count == count ? lines[count - 1] : nil
        }
        delays.append(Date().timeIntervalSince1970 * 1000 - (try #require(Double(line))) / 1_000_000)
        try scene.write("", scene.files.appending("gate\(count)"))
      }
      #expect(try await worker.end() == .code(0))
      let sorted = delays.sorted()
      print("a line is in the log after \(Int(sorted[4])) ms (median), \(Int(sorted[7])) ms (longest of 8)")
      #expect(sorted[7] < 1000)
    }
  }

  @Test func secretsOfTheWorkerAreNotGivenToSteps() async throws {
    var options = Broker.Options()
    options.anonymous = .refused(users: ["worker": "s3cret-word"])
    try await Scene.play(broker: options) { scene in
      try scene.job("job", steps: ["env; echo; tr '\\0' '\\n' < /proc/self/environ; tr '\\0' ' ' < /proc/$$/cmdline"])
      let results = try await scene.results()
      let worker = try scene.worker(environment: [
        "MQTT_USERNAME": "worker", "MQTT_PASSWORD": "s3cret-word", "MQTT_KEYFILE": "/run/secrets/key",
        "HARMLESS": "passed on",
      ])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await results.message().json["status"] == "success")
      #expect(try await worker.end() == .code(0))
      let log = scene.log("job")
      #expect(!log.contains("s3cret-word"))
      #expect(!log.contains("MQTT_"))
      #expect(log.contains("HARMLESS=passed on"))
      #expect(!worker.log.contains("s3cret-word"))
    }
  }

  @Test func secretsAreInNoProcessOfAStep() async throws {
    var options = Broker.Options()
    options.anonymous = .refused(users: ["worker": "s3cret-word"])
    try await Scene.play(broker: options) { scene in
      try scene.write("s3cret-word\n", scene.files.appending("password"))
      try scene.job("job", steps: ["echo $$; until [ -e \"$GATE\" ]; do sleep 0.01; done"])
      let gate = scene.files.appending("gate").string
      let worker = try scene.worker(
        ["-n", "worker", "--password-file", scene.files.appending("password").string], gate: gate)
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { !scene.log("job").isEmpty }
      let processes = scene.processes
      #expect(processes.count >= 2)
      for process in processes where process.pid != worker.pid {
        #expect(!ProcessEntry.arguments(of: process.pid).contains { $0.contains("s3cret-word") })
        #expect(!ProcessEntry.environment(of: process.pid).contains { $0.contains("s3cret-word") })
      }
      try scene.write("", scene.files.appending("gate"))
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func stepsKnowTheirJob() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        [
          "steps": ["true", ["run": "env | sort", "env": ["CC": "clang", "MODE": "step"]]],
          "env": ["MODE": "release", "LEVEL": "1"],
        ])
      let worker = try scene.worker("worker-03")
      try await worker.listens()
      try await scene.send("job", ["env": ["LEVEL": "2"]])
      #expect(try await worker.end() == .code(0))
      let lines = Set(scene.log("job", step: 1).split(separator: "\n").map(String.init))
      #expect(
        lines.isSuperset(of: [
          "CI=true", "JOB_STATUS=success", "STEP_0_STATUS=success", "JOB_ID=job", "JOB_ATTEMPT=1", "STEP_INDEX=1",
          "WORKER_ID=worker-03", "CC=clang", "MODE=step",
          "LEVEL=2", "JOB_WORKSPACE=\(scene.workspaces)/job", "JOB_RESULTS_DIR=\(scene.jobs)/job/results",
        ]))
    }
  }
}

extension Scene {
  fileprivate func worker(_ arguments: [String], gate: String) throws -> WorkerProcess {
    try worker("worker-01", on: "jobs/pending", arguments, environment: ["GATE": gate])
  }
}
