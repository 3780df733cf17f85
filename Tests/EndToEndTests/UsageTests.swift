import Foundation
import SystemPackage
import TestSupport
import Testing

/// What steps use, and how often they are tried.
@Suite(.everyAccess) struct UsageTests {
  private static let burn = "awk 'BEGIN { while (i < 5000000) i++ }'"

  @Test(arguments: [
    burn, "(\(burn)); true", "\(burn) & wait",
    "setsid -f sh -c \"\(burn); : > end\"; until [ -e end ]; do sleep 0.01; done",
  ])
  func cpuOfAllThatAStepStartsIsCounted(_ command: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true", .string(command)])
      let results = try await scene.results()
      let result = try await scene.outcome()
      let used = result["steps"].elements.map { $0["usage"]["userMs"].number ?? -1 }
      #expect(used.count == 2 && used[0] < 50 && used[1] > 50, "\(used)")
      #expect(result["usage"]["userMs"].number == used.reduce(0, +))
      #expect(try await results.message(on: "jobs/results/job").json["usage"] == result["usage"])
    }
  }

  @Test(.enabled(if: Checkout.hasProgram("python3"), "needs python3"))
  func memoryIsThatOfTheLargestProcess() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true", "python3 -c 'b\"x\" * (200 << 20)'"])
      let result = try await scene.outcome()
      let used = result["steps"].elements.map { $0["usage"]["maxRssBytes"].number ?? -1 }
      #expect(used.count == 2 && used[0] < 150e6 && used[1] > 200e6 && used[1] < 400e6, "\(used)")
      #expect(result["usage"]["maxRssBytes"].number == used[1])
      #expect(result["outOfMemory"] == .null)
    }
  }

  @Test func statusShowsTriesUsageAndOutputs() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job", steps: [["run": "echo 'v=1\u{1B}' >> $JOB_OUTPUT; test -e n || { : > n; exit 1; }", "retries": 2]])
      let events = try await scene.events()
      let result = try await scene.outcome()
      #expect(result["steps"][0]["tries"] == 2)
      let status = try await scene.run(["status", "job", "-j", scene.jobs.string])
      #expect(
        status.output.contains("success (try 2)") && status.output.contains("output:     v=1\\u{001B}"),
        "\(status.output)")
      #expect(status.output.contains("used:       cpu ") && status.output.contains(", memory "), "\(status.output)")
      try await events.message { $0.json["event"] == "completed" }
      #expect(events.messages.filter { $0.json["event"] == "step" }.count == 1)
    }
  }

  @Test func cancelDuringThePauseBetweenTriesEndsAtOnce() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job", steps: [["run": "exit 3", "retries": 1, "retryDelay": "1h"], ["run": "echo always", "always": true]])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the pause") {
        scene.log("job") == "[try 1 of 2 failed with exit code 3; trying again in 1h]\n"
      }
      try await scene.broker.publish("jobs/cancel/job", "")
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "canceled" && result["reason"] == "canceled" && result["exitCode"] == 3)
      #expect(result["steps"].elements.map { $0["status"] } == ["canceled", "success"])
      #expect(result["steps"][0]["tries"] == 1)
    }
  }
}
