import Foundation
import SystemPackage
import Testing

@testable import Steps

/// These tests run in their own processes: a process that adopts orphans takes every unknown child to be a step's.
@Suite(.timeLimit(.minutes(5))) struct ProcessTreeTests {
  @Test func descendantsAreFoundThroughTheirParents() {
    func entry(_ pid: pid_t, _ parent: pid_t) -> ProcessEntry? {
      ProcessEntry(pid, stat: Array("\(pid) (x) S \(parent) 1 1 0 -1 0 1 0 0 0 2 3 0 0 20 0 1 0 5 1".utf8))
    }
    let table = [entry(5, 4), entry(3, 1), entry(4, 3), entry(6, 2), entry(7, 5)].compactMap(\.self)
    #expect(Set(ProcessTree.descendants(of: [3], in: table).map(\.pid)) == [3, 4, 5, 7])
    #expect(ProcessTree.descendants(of: [99], in: table).isEmpty)
  }

  @Test func aDaemonWithoutSessionEnvironmentOrPipeIsEndedToo() async {
    await #expect(processExitsWith: .success) {
      try ProcessTree.adoptOrphans()
      let fixture = try StepFixture()
      let (outcome, _) = try await fixture.run(
        "env -i setsid sh -c 'cd /; (sh -c \"echo \\$\\$ > \(fixture.directory)/pids; exec sleep 999\" > /dev/null 2>&1 &)';"
          + "while ! [ -s pids ]; do sleep 0.01; done", grace: .seconds(600))
      #expect(try await fixture.pids(in: "pids").filter(isAlive) == [])
      #expect(outcome.endedProcesses == 1)
      #expect(outcome.end == .exited(0))
    }
  }

  @Test func orphansThatEndWhileTheStepRunsAreReaped() async {
    await #expect(processExitsWith: .success) {
      try ProcessTree.adoptOrphans()
      let fixture = try StepFixture()
      let stop = StopRequest()
      async let result = fixture.run(
        "for i in 1 2 3; do (sh -c 'echo $$ >> pids' &); done; trap 'exit 0' TERM; while :; do sleep 0.05; done",
        stop: stop)
      for pid in try await fixture.pids(in: "pids", count: 3) {
        while ProcessEntry(pid) != nil { try await Task.sleep(for: .milliseconds(5)) }
      }
      stop.raise(.terminate, reason: .canceled)
      #expect(try await result.outcome.end == .exited(0))
    }
  }

  @Test func childrenOfThisProcessItselfAreLeftAlone() async {
    await #expect(processExitsWith: .success) {
      try ProcessTree.adoptOrphans()
      let other = Process()
      other.executableURL = URL(fileURLWithPath: "/bin/sleep")
      other.arguments = ["999"]
      try other.run()
      let (outcome, _) = try await StepFixture().run("true")
      #expect(outcome.endedProcesses == 0)
      #expect(isAlive(other.processIdentifier))
      kill(other.processIdentifier, SIGKILL)
      ProcessTree.reapOrphans()
      other.waitUntilExit()
      #expect(other.terminationStatus == SIGKILL)
    }
  }
}
