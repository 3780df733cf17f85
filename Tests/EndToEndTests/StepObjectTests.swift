import Glibc
import SystemPackage
import TestSupport
import Testing

/// The settings of a step, and a job's settings for all its steps.
@Suite(.everyAccess) struct StepObjectTests {
  @Test func everyKeyOfAStepDoesWhatItSays() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        [
          "env": ["MODE": "release", "CC": "gcc", "JOB_ID": "another", "CI": "maybe"],
          "steps": [
            [
              "name": "build", "run": "set -o | grep pipefail; echo $0 $MODE $CC $JOB_ID $CI; pwd; ls",
              "shell": ["bash", "-euo", "pipefail", "-c"], "env": ["CC": "clang"], "workingDirectory": "src/deep",
            ],
            ["run": "echo $MODE $CC; pwd"],
          ],
        ], ["src/deep/file": ""])
      let result = try await scene.outcome()
      #expect(result["status"] == "success")
      #expect(result["steps"][0]["name"] == "build")
      let lines = scene.log("job").split(separator: "\n").map {
        String($0.split(separator: "\t").joined(separator: " "))
      }
      #expect(lines.count == 4)
      #expect(lines.first?.hasPrefix("pipefail") == true && lines.first?.hasSuffix("on") == true)
      #expect(
        lines.dropFirst() == ["bash release clang job maybe", "\(scene.workspaces)/job/src/deep", "file"])
      #expect(scene.log("job", step: 1) == "release gcc\n\(scene.workspaces)/job\n")
    }
  }

  @Test func stepThatMayFailDoesNotCount() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [["run": "exit 5", "continueOnError": true], "echo second"])
      let result = try await scene.outcome()
      #expect(result["status"] == "success")
      #expect(result["exitCode"] == 0)
      #expect(result["error"] == .null)
      #expect(result["steps"].elements.map { $0["status"] } == ["failed", "success"])
      #expect(result["steps"][0]["exitCode"] == 5)
      #expect(scene.log("job", step: 1) == "second\n")
    }
  }

  @Test func stepsThatRunAlwaysRunAfterAFailureWhichDecides() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          ["run": "exit 7", "name": "test"], "echo never", ["run": "echo first; exit 9", "always": true],
          ["run": "echo last", "always": true],
        ])
      let result = try await scene.outcome()
      #expect(result["status"] == "failed")
      #expect(result["exitCode"] == 7)
      #expect(result["error"] == "step 0 (test) failed with exit code 7")
      #expect(result["steps"].elements.map { $0["status"] } == ["failed", "skipped", "failed", "success"])
      #expect(result["steps"][1]["exitCode"] == .null && result["steps"][1]["log"] == .null)
      #expect(scene.results() == ["step_0.log", "step_2.log", "step_3.log", "result.json"])
    }
  }

  @Test func signalIsAnExitCodeAndAName() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["kill -SEGV $$"])
      let result = try await scene.outcome()
      #expect(result["status"] == "failed")
      #expect(result["exitCode"] == 139)
      #expect(result["steps"][0]["signal"] == "SIGSEGV")
      #expect(result["error"] == "step 0 was ended by SIGSEGV")
    }
  }

  @Test func timeoutOfAStepIs124AndLosesNothing() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "echo made > before.txt", ["run": "echo also > during.txt; sleep 600", "timeout": "1s"], "echo never",
          ["run": "cat before.txt during.txt", "always": true],
        ])
      let results = try await scene.results()
      let result = try await scene.outcome()
      #expect(result["status"] == "timeout")
      #expect(result["exitCode"] == 124)
      #expect(result["error"] == "step 1 took longer than its timeout")
      #expect(result["steps"].elements.map { $0["status"] } == ["success", "timeout", "skipped", "success"])
      let step = result["steps"][1]
      #expect(step["exitCode"] == 124)
      #expect(step["timedOut"] == true)
      #expect(step["killed"] == false)
      // The timeout, the grace of 10 s, and a second.
      #expect((1000..<12_000).contains(try #require(step["durationMs"].number)))
      #expect(scene.log("job", step: 3) == "made\nalso\n")
      #expect(Set(result["artifacts"].elements.map { $0["path"].string }) == ["before.txt", "during.txt"])
      #expect(scene.text("job", "results/before.txt") == "made\n")
      #expect(scene.text("job", "results/during.txt") == "also\n")
      let message = try await results.message(on: "jobs/results/job")
      #expect(message.json["status"] == "timeout")
      #expect(message.json["exitCode"] == 124)
    }
  }

  /// The places for a job's timeout; the one closest to the job wins.
  @Test(
    arguments: [
      (["timeout": "1s"], [], [:]), (["timeout": 1], ["--timeout", "600"], [:]), ([:], ["--timeout", "1s"], [:]),
      ([:], ["-o", "1"], ["JOB_TIMEOUT": "600"]), ([:], [], ["JOB_TIMEOUT": "1s"]),
    ] as [([String: JSON], [String], [String: String])])
  func timeoutOfTheJobEndsIt(_ job: [String: JSON], _ arguments: [String], _ environment: [String: String])
    async throws
  {
    try await Scene.play { scene in
      let steps: JSON = ["true", "sleep 600", "echo never", ["run": "echo always", "always": true]]
      try scene.job("job", .object(job.merging(["steps": steps]) { $1 }))
      let result = try await scene.outcome(arguments, environment: environment)
      #expect(result["status"] == "timeout")
      #expect(result["exitCode"] == 124)
      #expect(result["error"] == "the job took longer than its timeout")
      #expect(result["steps"].elements.map { $0["status"] } == ["success", "timeout", "skipped", "success"])
    }
  }

  @Test func timeoutInTheRequestComesBeforeThatOfTheJob() async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": ["sleep 600"], "timeout": "1h"])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", ["timeout": "1s"])
      #expect(try await results.message().json["status"] == "timeout")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test(arguments: [(["--grace", "1s"], [:]), ([], ["JOB_GRACE": "1"])] as [([String], [String: String])])
  func stepThatIgnoresTERMIsKilledAfterTheGrace(_ arguments: [String], _ environment: [String: String]) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [["run": "trap '' TERM; while :; do sleep 1; done", "timeout": "1s"]])
      let result = try await scene.outcome(arguments, environment: environment)
      #expect(result["status"] == "timeout")
      let step = result["steps"][0]
      #expect(step["exitCode"] == 124)
      #expect(step["signal"] == "SIGKILL")
      #expect(step["killed"] == true)
      #expect((2000..<10_000).contains(try #require(step["durationMs"].number)))
    }
  }

  @Test func stepThatCannotBeStartedIsAnErrorAfterWhichAlwaysStepsRun() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "echo made > made.txt", ["run": "true", "shell": ["no-such-shell", "-c"]], "echo never",
          ["run": "echo cleaned", "always": true],
        ])
      let result = try await scene.outcome()
      #expect(result["status"] == "error")
      #expect(result["phase"] == "run")
      #expect(result["error"].text.contains("step 1 cannot be started"))
      #expect(result["error"].text.contains("no-such-shell"))
      #expect(result["steps"].elements.map { $0["status"] } == ["success", "error", "skipped", "success"])
      #expect(scene.log("job", step: 3) == "cleaned\n")
      #expect(scene.text("job", "results/made.txt") == "made\n")
    }
  }
}
