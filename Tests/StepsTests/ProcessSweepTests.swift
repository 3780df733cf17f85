import Glibc
import SystemPackage
import Testing

@testable import Steps

@Suite(.timeLimit(.minutes(5))) struct ProcessSweepTests {
  @Test func eachIsKilledThoughTheyShareAGroup() async throws {
    let fixture = try StepFixture()
    try await fixture.beside("for i in 1 2 3; do sleep 999 & echo $! >> pids; done; wait") {
      let pids = try await fixture.pids(in: "pids", count: 3)
      var sweep = ProcessSweep { pids.compactMap { ProcessEntry($0) }.filter(\.isAlive) }
      #expect(sweep.run(until: nil).isEmpty)
      #expect(Set(sweep.killed.map(\.pid)).isSuperset(of: pids))
      #expect(pids.filter(isAlive) == [])
    }
  }

  /// A process that hangs in the kernel still exists after SIGKILL.
  @Test func itsTimeIsBounded() throws {
    let own = try #require(ProcessEntry(getpid()))
    let fake = "\(pid_t.max) (x) D \(own.parent) 0 0 0 -1 0 1 0 0 0 2 3 0 0 20 0 1 0 5 1"
    let hanging = try #require(ProcessEntry(pid_t.max, stat: Array(fake.utf8)))
    var sweep = ProcessSweep { [hanging] }
    let began = ContinuousClock.now
    #expect(sweep.run(until: .now + .milliseconds(200)).map(\.pid) == [pid_t.max])
    #expect(began.duration(to: .now) < .seconds(60))
  }
}
