import MQTT
import SystemPackage
import TestSupport
import Testing

/// The secrets of a job are masked.
@Suite struct RedactionTests {
  @Test func valuesOfSecretVariablesAreMaskedWhereverTheyWouldShow() async throws {
    try await Scene.play { scene in
      let steps: JSON = [
        [
          "name": "use fr0m-the-job",
          "run": "echo $API_TOKEN $NAMED $OTHER $JOB_PASSWORD; echo \"$DEPLOY_PRIVATE_KEY\"",
        ],
        ["run": "printf fr0m-the; sleep 0.1; printf '%s\\n' -step; exit 3", "env": ["A_SECRET": "fr0m-the-step"]],
        ["run": "echo fr0m-the-worker", "always": true, "workingDirectory": "fr0m-the-job"],
      ]
      try scene.job(
        "job",
        [
          "steps": steps,
          "env": ["JOB_PASSWORD": "fr0m-the-job", "DEPLOY_PRIVATE_KEY": "-- BEGIN --\n  c2VjcmV0\n--"],
        ])
      let bus = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker(
        ["--redact", "NAMED", "--log-level", "debug"],
        environment: [
          "API_TOKEN": "fr0m-the-worker", "NAMED": "n4med", "LISTED": "l1sted", "JOB_REDACT": "OTHER, LISTED",
        ]
        .merging(["OTHER": "0ther", "SHORT_TOKEN": "abc"]) { $1 })
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      try await bus.message(on: "jobs/results/job")
      #expect(scene.log("job") == "*** *** *** ***\n***\n  ***\n--\n")
      #expect(scene.log("job", step: 1) == "***\n")
      let result = scene.result("job")
      #expect(result["steps"][0]["name"] == "use ***")
      #expect(result["steps"][2]["command"] == "echo ***")
      #expect(result["error"].string?.contains("\"***\"") == true)
      #expect(worker.log.contains("fewer than 4 characters: SHORT_TOKEN"))
      let files = scene.listing(scene.jobs).filter { !$0.hasSuffix("/") && !$0.hasSuffix("/job.json") }
      let shown =
        files.compactMap { scene.text(".", $0) } + bus.messages.map(\.text) + [worker.log, worker.output]
      for secret in ["fr0m-the-job", "fr0m-the-step", "fr0m-the-worker", "n4med", "0ther", "c2VjcmV0"] {
        #expect(!shown.contains { $0.contains(secret) }, "\(secret)")
      }
    }
  }

  /// A prompt is an unfinished line, and must be visible.
  @Test func unfinishedLineIsShownAtOnce() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("printf 'Continue? '; \(scene.waitForGate)")])
      let worker = try scene.worker(environment: ["API_TOKEN": "token-of-the-worker"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the question") { scene.log("job") == "Continue? " }
      try scene.openGate()
      #expect(try await worker.end() == .code(0))
    }
  }
}
