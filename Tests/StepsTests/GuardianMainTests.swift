import Foundation
import SystemPackage
import Testing

@testable import Steps

@Suite(.timeLimit(.minutes(5))) struct GuardianMainTests {
  /// Runs a guardian's watch in this process beside a step, and ends the watch. `learns` says whether the guardian is
  /// told of the step.
  private func guardedStep(_ script: String, learns: Bool, marker: String? = nil) async throws -> [pid_t] {
    let fixture = try StepFixture()
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    let (worker, own) = (ends[0], ends[1])
    let entry = marker ?? "JOB_WORKSPACE=\(fixture.directory)"
    let watch = ThreadResult("guardian") {
      var watch = GuardianMain(socket: own, marker: entry)
      watch.awaitEndOfFile()
      watch.killAll()
      close(own)
    }
    let stop = StopRequest()
    async let result = fixture.run("echo $$ > leader; \(script)", stop: stop)
    let leader = try await fixture.pids(in: "leader")[0]
    let pids = try await fixture.pids(in: "pids")
    if learns {
      let message = GuardianMessage.watch(session: leader, start: ProcessEntry(leader)?.start ?? 0, pipe: 0).bytes
      _ = send(worker, message, message.count, 0)
    }
    close(worker)
    await watch.value()
    let alive = ([leader] + pids).filter(isAlive)
    stop.raise(.kill, reason: .canceled)
    _ = try await result
    return alive
  }

  @Test func atTheEndOfFileTheProcessesOfASessionAreKilled() async throws {
    let alive = try await guardedStep("env -i sleep 999 & echo $! > pids; wait", learns: true, marker: "NONE=1")
    #expect(alive == [])
  }

  @Test func oneThatWentItsOwnWayIsKnownByItsMarker() async throws {
    let alive = try await guardedStep(
      "(setsid sh -c 'echo $$ > pids; exec sleep 999' > /dev/null 2>&1 &); sleep 999", learns: false)
    #expect(alive == [])
  }

  @Test func theProcessesOfOthersAreLeftAlone() async throws {
    let alive = try await guardedStep("echo $$ > pids; sleep 999", learns: false, marker: "JOB_WORKSPACE=/other")
    #expect(alive.count == 2)
  }
}

@Suite(.timeLimit(.minutes(5))) struct GuardianTests {
  @Test func aDismissedGuardianIsGoneAndReaped() throws {
    let guardian = try Guardian.fork()
    guardian.guardProcesses(carrying: "JOB_WORKSPACE=/x")
    let pid = try #require(guardian.pid)
    #expect(isAlive(pid))
    guardian.dismiss()
    #expect(kill(pid, 0) != 0 && errno == ESRCH)
    guardian.dismiss()
    guardian.watch(session: 1, since: 0, pipe: 0)
    guardian.forgetStep()
    // No guardian replaces it.
    guardian.revive()
    #expect(guardian.pid == nil)
  }

  @Test(arguments: [
    GuardianMessage.forgetStep, .forgetJob, .renewed(lease: 1_000_000_000),
    .watch(session: pid_t.max, start: 1 << 40, pipe: 1 << 31),
  ])
  func aMessageArrivesAsItWasSent(message: GuardianMessage) {
    let bytes = message.bytes
    #expect(bytes.count == GuardianMessage.size)
    // A zero byte distinguishes a message from a name.
    #expect(bytes.contains(0))
    #expect(bytes.withUnsafeBytes { GuardianMessage($0) } == message)
  }
}

struct GuardianLeaseTests {
  /// The answers of a lease of 800 ns, granted at 1000, at these times.
  private func looks(at times: [Int64]) -> [Bool] {
    var lease = GuardianLease(800, at: 1000)
    return times.map { lease.hasLapsed(at: $0) }
  }

  @Test func itIsOverWhenNobodyHasRenewedItForItsWholeLength() {
    #expect(looks(at: [1100, 1300, 1500, 1700, 1800, 1900]) == [false, false, false, false, false, true])
  }

  /// A machine was suspended: worker and guardian continue together, and the worker has a quarter of the lease to renew
  /// its claim.
  @Test func whoStoodStillHimselfWaitsALittleLonger() {
    #expect(looks(at: [50_000, 50_100, 50_200, 50_300]) == [false, false, false, true])
  }

  @Test(arguments: [0, 1, 8_000_000, 30_000_000_000, .max] as [UInt64])
  func anyLengthIsOne(nanoseconds: UInt64) {
    var lease = GuardianLease(nanoseconds, at: 1000)
    let hasLapsed = lease.hasLapsed(at: 1000)
    #expect(lease.pollTimeout > 0)
    #expect(!hasLapsed)
  }
}
