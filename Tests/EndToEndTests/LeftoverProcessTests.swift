import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A way to leave processes behind. `MARK` in the script is a number that only these processes have in their arguments.
struct Leftover: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let script: String
  /// The least number of processes.
  let count: Int
  /// Whether only KILL ends them.
  let isKilled: Bool

  init(_ name: String, count: Int = 1, isKilled: Bool = false, _ script: String) {
    testDescription = name
    self.script = script
    self.count = count
    self.isKilled = isKilled
  }

  static let all = [
    Leftover("in the background", "sleep MARK & true"),
    Leftover("daemon in a session of its own", "setsid sh -c 'while :; do sleep 1; done' MARK & sleep 0.2"),
    Leftover("double fork", "(setsid sh -c '(sleep MARK > /dev/null 2>&1 &)' &); sleep 0.2"),
    Leftover("double fork that holds the log open", "(setsid sh -c 'echo up; (sleep MARK &)' &); sleep 0.2"),
    Leftover("without environment", "env -i setsid sleep MARK > /dev/null 2>&1 & sleep 0.2"),
    Leftover("stopped", "sleep MARK & kill -STOP $!"),
    Leftover(
      "ignores TERM", isKilled: true,
      "setsid sh -c 'trap \"\" TERM; : > ready; while :; do sleep 1; done' MARK & until [ -e ready ]; do sleep 0.02; done"
    ),
    Leftover(
      "a thousand sessions that ignore TERM", count: 1000, isKilled: true,
      """
      python3 -c '
      import os, signal
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      for i in range(1000):
        if os.fork() == 0:
          os.setsid()
          while True: signal.pause()
      ' MARK
      """),
    Leftover(
      "sessions that go on forking", count: 10, isKilled: true,
      """
      python3 -c '
      import os, signal, time
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      depth = 0
      for i in range(10):
        if os.fork() == 0:
          os.setsid()
          depth = 1
          break
      while depth:
        for i in range(10 if depth < 3 else 0):
          time.sleep(0.1)
          if os.fork() == 0:
            os.setsid()
            depth += 1
            break
        else: signal.pause()
      ' MARK
      """),
    Leftover("two thousand", count: 2000, "i=0; while [ $i -lt 2000 ]; do sleep MARK & i=$((i+1)); done"),
  ]
}

/// The processes that a step starts are gone when it ends, wherever they went.
@Suite struct LeftoverProcessTests {
  @Test(arguments: Leftover.all)
  func nothingOfAStepIsLeftAfterIt(_ leftover: Leftover) async throws {
    try await Scene.play { scene in
      let mark = "\(Int.random(in: 10_000_000..<100_000_000))"
      let gate = scene.gate()
      let script = leftover.script.replacing("MARK", with: mark) + "; echo end"
      try scene.job("job", steps: [.string(script), .string(scene.waiting(for: gate))])
      let events = try await scene.events()
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--grace", leftover.isKilled ? "1s" : "60s"])
      try await worker.listens()
      try await scene.send("job")
      try await events.message { $0.json["event"] == "step" && $0.json["step"] == 0 }
      #expect(ProcessEntry.marked(mark).isEmpty)
      try scene.open(gate)
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "success")
      let step = result["steps"][0]
      #expect(step["exitCode"] == 0)
      #expect(try #require(step["endedProcesses"].number) >= Double(leftover.count))
      #expect(step["killed"] == .bool(leftover.isKilled))
      // Far less than the grace: the step does not wait for processes that have ended after TERM.
      #expect(try #require(step["durationMs"].number) < 40_000)
      #expect(scene.log("job").hasSuffix("end\n"))
      #expect(scene.result("job")["steps"][1]["endedProcesses"] == 0)
    }
  }

  @Test func timeoutEndsThousandsOfProcessesAndTheWorkerLivesOn() async throws {
    try await Scene.play { scene in
      let mark = "\(Int.random(in: 10_000_000..<100_000_000))"
      let fork = "i=0; while [ $i -lt 3000 ]; do sleep \(mark) & i=$((i+1)); done; echo all; wait"
      try scene.job("job", steps: [["run": .string(fork), "timeout": "5s"]])
      let results = try await scene.results()
      let result = try await scene.outcome()
      #expect(ProcessEntry.marked(mark).isEmpty)
      #expect(result["status"] == "timeout")
      #expect(result["exitCode"] == 124)
      #expect(try #require(result["steps"][0]["endedProcesses"].number) > 100)
      #expect(try await results.message().json["status"] == "timeout")
    }
  }
}
