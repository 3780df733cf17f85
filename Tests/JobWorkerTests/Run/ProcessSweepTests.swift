import Glibc
import SystemPackage
import Testing

@testable import JobWorker

struct ProcessSweepTests {
  private let fixture: StepFixture

  init() throws {
    fixture = try StepFixture()
  }

  @Test func eachIsKilledThoughTheyShareAGroup() async throws {
    let stop = StopRequest()
    async let result = fixture.run("for i in 1 2 3; do sleep 999 & echo $! >> pids; done; wait", stop: stop)
    let pids = try await fixture.pids(in: "pids", count: 3)
    var sweep = ProcessSweep { pids.compactMap { ProcessEntry($0) }.filter(\.isAlive) }
    #expect(sweep.run(until: nil).isEmpty)
    #expect(Set(sweep.killed.map(\.pid)).isSuperset(of: pids))
    #expect(pids.filter(isAlive) == [])
    stop.raise(.kill, reason: .canceled)
    _ = try await result
  }

  /// What hangs in the kernel looks like one that is still there after SIGKILL.
  @Test func itsTimeIsBounded() throws {
    let own = try #require(ProcessEntry(getpid()))
    let fake = "\(pid_t.max) (x) D \(own.parent) 0 0 0 -1 0 1 0 0 0 2 3 0 0 20 0 1 0 5 1"
    let hanging = try #require(ProcessEntry(pid_t.max, stat: Array(fake.utf8)))
    var sweep = ProcessSweep { [hanging] }
    let began = ContinuousClock.now
    #expect(sweep.run(until: .now + .milliseconds(200)).map(\.pid) == [pid_t.max])
    #expect(began.duration(to: .now) < .seconds(60))
  }

  @Test func environmentsAreComparedEntryByEntry() async throws {
    let stop = StopRequest()
    async let result = fixture.run("LONGER=xA=1y A=1 sh -c 'echo $$ > pids; exec sleep 999'", stop: stop)
    let pid = try await fixture.pids(in: "pids")[0]
    while ProcessEntry(pid)?.carries("A=1") != true { try await Task.sleep(for: .milliseconds(2)) }
    let entry = try #require(ProcessEntry(pid))
    #expect(entry.carries("LONGER=xA=1y"))
    for part in ["A=", "=1", "A=1y", "xA=1", "LONGER=xA=1", "A=12", ""] { #expect(!entry.carries(part)) }
    stop.raise(.kill, reason: .canceled)
    _ = try await result
  }
}
