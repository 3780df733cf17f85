import Foundation
import Jobs
import SystemPackage
import Testing

@testable import Steps

@Suite(.timeLimit(.minutes(5))) struct StepRunnerTests {
  @Test func outputAndExitCodeAreTheSteps() async throws {
    let (outcome, text) = try await StepFixture().run("echo out; echo err >&2; echo out; exit 3")
    #expect(outcome.end == .exited(3))
    #expect(text == "out\nerr\nout\n")
    #expect(outcome.endedProcesses == 0)
    #expect(!outcome.timedOut && !outcome.killed && outcome.stopped == nil)
  }

  @Test func severalRunsShareALogWithLinesOfTheWorkerBetweenThem() async throws {
    let fixture = try StepFixture()
    // The beginning of a secret is held back until more is known.
    let log = try fixture.log(redacting: Redaction(["s3cret-word"]))
    let runner = StepRunner(guardian: nil)
    for command in ["printf s3cret-", "echo word; echo s3cret-word"] {
      _ = try await runner.run(fixture.command(command), into: log, until: StopRequest())
      log.note("again, s3cret-word")
    }
    log.finish()
    #expect(
      String(decoding: try fixture.contents("step_0.log"), as: UTF8.self)
        == "s3cret-\n[again, ***]\nword\n***\n[again, ***]\n")
    #expect(log.dropped == 0 && log.error == nil)
  }

  @Test func whatAStepAndItsChildrenUseIsCounted() async throws {
    let (outcome, _) = try await StepFixture().run(
      "awk 'BEGIN { while (i < 3000000) i++ }'; head -c 100000000 /dev/zero | tail -c 100000000 | cksum >/dev/null; true"
    )
    #expect(outcome.usage.userMs > 20)
    // tail(1) keeps all of it.
    #expect(outcome.usage.maxRssBytes > 90_000_000)
    #expect(outcome.memoryLimit == nil)
  }

  @Test(arguments: [(SIGKILL, "SIGKILL"), (SIGSEGV, "SIGSEGV"), (SIGTERM, "SIGTERM")])
  func aSignalIsAnExitCodeAndAName(signal: Int32, name: String) async throws {
    let (outcome, _) = try await StepFixture().run("kill -\(signal) $$")
    #expect(outcome.end == .signaled(signal))
    #expect(outcome.end.exitCode == 128 + signal)
    #expect(outcome.end.signalName == name)
  }

  @Test func stdinIsEmptyAndNothingElseIsInherited() async throws {
    let fixture = try StepFixture()
    let (_, text) = try await fixture.run("cat; readlink /proc/self/fd/0; ls /proc/$$/fd")
    #expect(text.hasPrefix("/dev/null\n0\n1\n2\n"))
    // A shell may keep its own descriptor, but none of this process.
    #expect(text.split(separator: "\n").count <= 5)
  }

  @Test func noSignalIsBlockedOrIgnored() async throws {
    // Signals that this process ignores, or blocks on the spawning thread, are not passed on to the step.
    signal(SIGUSR1, SIG_IGN)
    defer { signal(SIGUSR1, SIG_DFL) }
    let (_, text) = try await StepFixture().run("grep -E 'SigBlk|SigIgn' /proc/self/status")
    let masks = text.split(separator: "\n").map { UInt64($0.split(separator: "\t")[1], radix: 16) ?? .max }
    // Signals 32 and 33 belong to the C library and cannot be set.
    #expect(masks.map { $0 & ~0x1_8000_0000 } == [0, 0])
  }

  @Test func aStepLeadsASessionOfItsOwn() async throws {
    let (_, text) = try await StepFixture().run("cut -d' ' -f1,5,6 /proc/$$/stat")
    let numbers = text.split(whereSeparator: \.isWhitespace)
    #expect(numbers.count == 3 && Set(numbers).count == 1)
  }

  @Test func theEnvironmentIsExactlyTheGivenOne() async throws {
    let fixture = try StepFixture()
    let command = StepCommand(
      arguments: ["env"], workingDirectory: fixture.directory, environment: ["PATH": "/usr/bin:/bin", "A": "b c=d"])
    let (_, text) = try await fixture.run(command)
    #expect(Set(text.split(separator: "\n")) == ["PATH=/usr/bin:/bin", "A=b c=d"])
  }

  @Test func aRelativeProgramIsTakenFromTheWorkingDirectory() async throws {
    let fixture = try StepFixture()
    _ = try await fixture.run("mkdir sub; printf '#!/bin/sh\\npwd; echo $0' > sub/tool; chmod +x sub/tool")
    let command = StepCommand(
      arguments: ["./tool"], workingDirectory: fixture.directory.appending("sub"), environment: fixture.environment)
    let (_, text) = try await fixture.run(command)
    #expect(text == "\(fixture.directory)/sub\n./tool\n")
  }

  @Test func aProgramThatIsNotThereIsAnErrorThatSaysWhereItWasSought() async throws {
    let fixture = try StepFixture()
    let command = StepCommand(
      arguments: ["no-such-program"], workingDirectory: fixture.directory, environment: fixture.environment)
    let error = await #expect(throws: SpawnError.self) { try await fixture.run(command) }
    #expect(error?.description.contains("no such program in the folders of PATH (/usr/bin:/bin)") == true)
  }

  @Test func aWorkingDirectoryThatIsNotThereIsAnErrorThatNamesIt() async throws {
    let fixture = try StepFixture()
    var command = fixture.command("true")
    command.workingDirectory = fixture.directory.appending("gone")
    let error = await #expect(throws: SpawnError.self) { try await fixture.run(command) }
    #expect(error?.description.contains("gone' cannot be entered") == true)
  }

  @Test func aNULInTheScriptIsRefused() async throws {
    let fixture = try StepFixture()
    let error = await #expect(throws: SpawnError.self) { try await fixture.run("echo a\0b") }
    #expect(error?.description.contains("NUL") == true)
  }

  @Test(arguments: [["/bin/sh", "-c"], ["/bin/sh", "-ec"], ["bash", "-euo", "pipefail", "-c"]])
  func aScriptOfTwoMegabytesIsRunFromAFile(shell: [String]) async throws {
    let fixture = try StepFixture()
    let script =
      "echo first\n" + String(repeating: "# padding that makes it long\n", count: 80_000) + "echo last; exit 5"
    let command = StepCommand(
      shell: shell, script: script, workingDirectory: fixture.directory, environment: fixture.environment)
    let (outcome, text) = try await fixture.run(command)
    #expect(outcome.end == .exited(5))
    #expect(text == "first\nlast\n")
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory.string) == ["step_0.log"])
  }

  @Test func theLongestScriptThatIsAnArgumentIsOne() async throws {
    let fixture = try StepFixture()
    let script = "echo $0 #"
    let padding = String(repeating: "x", count: VariableLines.argumentLimit - 1 - script.utf8.count)
    let (_, text) = try await fixture.run(script + padding)
    #expect(text == "/bin/sh\n")
    let (_, longer) = try await fixture.run(script + padding + "x")
    #expect(longer.hasPrefix("\(fixture.directory)/.script-"))
  }

  @Test func aTimeoutEndsTheStepAndSaysSo() async throws {
    let (outcome, text) = try await StepFixture().run("echo before; sleep 600; echo after", timeout: .seconds(1))
    #expect(outcome.timedOut)
    #expect(outcome.end == .signaled(SIGTERM))
    #expect(outcome.endedProcesses == 1)
    #expect(!outcome.killed)
    #expect(outcome.stopped == nil)
    #expect(text == "before\n")
    #expect(outcome.duration >= .seconds(1) && outcome.duration < .seconds(60))
  }

  @Test func aStepThatIgnoresTERMIsKilledAfterTheGrace() async throws {
    let (outcome, _) = try await StepFixture().run(
      "trap '' TERM; while :; do sleep 1; done", timeout: .milliseconds(300), grace: .milliseconds(300))
    #expect(outcome.end == .signaled(SIGKILL))
    #expect(outcome.timedOut)
    #expect(outcome.killed)
  }

  @Test func aStepThatCatchesTERMMayFinishItsWork() async throws {
    let fixture = try StepFixture()
    let stop = StopRequest()
    async let result = fixture.run(
      "trap 'echo cleaned; exit 7' TERM; echo $$ > pid; while :; do sleep 0.01; done", stop: stop)
    _ = try await fixture.pids(in: "pid")
    stop.raise(.terminate, reason: .canceled)
    let (outcome, text) = try await result
    #expect(outcome.end == .exited(7))
    #expect(outcome.stopped == .canceled)
    #expect(text.contains("cleaned"))
  }

  @Test func aKillRequestDoesNotWaitForTheGrace() async throws {
    let fixture = try StepFixture()
    let stop = StopRequest()
    async let result = fixture.run(
      "trap '' TERM; echo $$ > pid; while :; do sleep 1; done", grace: .seconds(600), stop: stop)
    _ = try await fixture.pids(in: "pid")
    stop.raise(.terminate, reason: .shutdown)
    stop.raise(.kill, reason: .shutdown)
    let (outcome, _) = try await result
    #expect(outcome.end == .signaled(SIGKILL))
    #expect(outcome.stopped == .shutdown)
    #expect(outcome.killed)
  }

  @Test func aRequestFromBeforeTheStartEndsItAtOnce() async throws {
    let stop = StopRequest()
    stop.raise(.kill, reason: .superseded)
    let (outcome, _) = try await StepFixture().run("sleep 600", stop: stop)
    #expect(outcome.end == .signaled(SIGKILL))
    #expect(outcome.stopped == .superseded)
  }

  @Test func cancelingTheTaskTerminatesTheStep() async throws {
    let fixture = try StepFixture()
    let task = Task { try await fixture.run("trap 'exit 9' TERM; echo $$ > pid; while :; do sleep 0.01; done") }
    _ = try await fixture.pids(in: "pid")
    task.cancel()
    let (outcome, _) = try await task.value
    #expect(outcome.end == .exited(9))
    #expect(outcome.stopped == .canceled)
  }

  @Test func aStepThatEndedByItselfWasNotStopped() async throws {
    let stop = StopRequest()
    let (outcome, _) = try await StepFixture().run("exit 0", stop: stop)
    stop.raise(.kill, reason: .shutdown)
    #expect(outcome.stopped == nil)
  }

  @Test(arguments: [
    "sleep 999 & echo $! > pids",
    "setsid sh -c 'echo $$ > pids; while :; do sleep 1; done' & while ! [ -s pids ]; do sleep 0.01; done",
    "(setsid sh -c '(sh -c \"echo \\$\\$ > pids; exec sleep 998\" > /dev/null 2>&1 < /dev/null &)' &); while ! [ -s pids ]; do sleep 0.01; done",
    "set -m; sleep 997 & echo $! > pids",
  ])
  func whatAStepLeavesBehindIsGoneBeforeItsEnd(script: String) async throws {
    let fixture = try StepFixture()
    let (outcome, _) = try await fixture.run(script + "; echo end", grace: .seconds(600))
    let pids = try await fixture.pids(in: "pids")
    #expect(pids.filter(isAlive) == [])
    #expect(outcome.end == .exited(0))
    #expect(outcome.endedProcesses >= 1)
    // No process of the step catches TERM, so the grace is not used up.
    #expect(!outcome.killed && outcome.duration < .seconds(60))
  }

  @Test func aLeftoverThatIgnoresTERMIsKilledAfterTheGrace() async throws {
    let fixture = try StepFixture()
    let (outcome, _) = try await fixture.run(
      "sh -c 'trap \"\" TERM; echo $$ > pids; while :; do sleep 1; done' & while ! [ -s pids ]; do sleep 0.01; done",
      grace: .milliseconds(200))
    #expect(try await fixture.pids(in: "pids").filter(isAlive) == [])
    #expect(outcome.end == .exited(0))
    #expect(outcome.killed)
  }

  @Test func aStoppedLeftoverIsEndedToo() async throws {
    let fixture = try StepFixture()
    let (outcome, _) = try await fixture.run("sleep 999 & echo $! > pids; kill -STOP $!", grace: .seconds(600))
    #expect(try await fixture.pids(in: "pids").filter(isAlive) == [])
    #expect(!outcome.killed)
  }

  @Test func twoThousandLeftoversAreAllEnded() async throws {
    let fixture = try StepFixture()
    let (outcome, _) = try await fixture.run(
      "i=0; while [ $i -lt 2000 ]; do sleep 999 & echo $! >> pids; i=$((i+1)); done")
    let pids = try await fixture.pids(in: "pids", count: 2000)
    #expect(pids.filter(isAlive) == [])
    #expect(outcome.endedProcesses == 2000)
  }

  @Test func whatTheStepWroteLastIsInTheLogEvenIfSomebodyHoldsThePipe() async throws {
    let fixture = try StepFixture()
    let (_, text) = try await fixture.run("sleep 999 & head -c 700000 /dev/zero | tr '\\0' x; echo; echo last")
    #expect(text.utf8.count == 700_006)
    #expect(text.hasSuffix("x\nlast\n"))
  }
}
