import Foundation
import SystemPackage
import Testing

@testable import Steps

@Suite(.timeLimit(.minutes(5))) struct ProcessEntryTests {
  @Test func theNameOfTheProgramMayHoldAnything() throws {
    let stat = "42 (a) R 1 (b c) S 7 8 9 0 -1 4194560 1 0 0 0 2 3 0 0 20 0 1 0 123456 1 2 3\n"
    let entry = try #require(ProcessEntry(42, stat: Array(stat.utf8)))
    #expect(entry.parent == 7 && entry.group == 8 && entry.session == 9 && entry.start == 123_456)
    #expect(entry.isAlive && !entry.isStopped)
  }

  @Test(arguments: [("Z", false, false), ("X", false, false), ("T", true, true), ("D", true, false)])
  func aZombieIsNotAlive(state: String, isAlive: Bool, isStopped: Bool) throws {
    let stat = "42 (x) \(state) 7 8 9 0 -1 0 1 0 0 0 2 3 0 0 20 0 1 0 5 1\n"
    let entry = try #require(ProcessEntry(42, stat: Array(stat.utf8)))
    #expect(entry.isAlive == isAlive && entry.isStopped == isStopped)
  }

  @Test(arguments: ["", "42 (x", "42 (x) R 1 2"])
  func whatIsNoStatIsNoProcess(stat: String) {
    #expect(ProcessEntry(42, stat: Array(stat.utf8)) == nil)
  }

  @Test func thisProcessIsAmongAll() throws {
    let own = try #require(ProcessEntry.all().first { $0.pid == getpid() })
    #expect(own.session == getsid(0) && own.group == getpgrp() && own.parent == getppid())
  }

  @Test func anEnvironmentEntryCountsWholeOnly() async throws {
    let fixture = try StepFixture()
    try await fixture.beside("LONGER=xA=1y A=1 sh -c 'echo $$ > pid; exec sleep 999'") {
      let pid = try await fixture.pids(in: "pid")[0]
      while ProcessEntry(pid)?.carries("A=1") != true { try await Task.sleep(for: .milliseconds(2)) }
      let entry = try #require(ProcessEntry(pid))
      #expect(entry.carries("JOB_WORKSPACE=\(fixture.directory)"))
      #expect(entry.carries("LONGER=xA=1y"))
      let parts = ["A=", "=1", "A=1y", "xA=1", "LONGER=xA=1", "A=12", "", "OB_WORKSPACE=\(fixture.directory)"]
      for part in parts + ["JOB_WORKSPACE=\(fixture.directory.string.dropLast())"] { #expect(!entry.carries(part)) }
    }
  }
}
