import Foundation
import Glibc
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

struct WorkerIdentityTests {
  @Test func hostNameStandsForItsSign() {
    #expect(WorkerID("%h", host: "node")?.text == "node")
    #expect(WorkerID("w-%h-%h", host: "node")?.text == "w-node-node")
    #expect(WorkerID("plain", host: "node")?.text == "plain")
  }

  @Test(arguments: ["", "a/b", "../x", "a b", "+", "#", "-x", "%h"]) func otherNamesAreRefused(_ text: String) {
    #expect(WorkerID(text, host: "a/b") == nil)
  }

  @Test func thisProcessRuns() {
    let current = ProcessIdentity.current
    #expect(current.pid == getpid())
    #expect(!current.host.isEmpty && !current.bootId.isEmpty && !current.startTime.isEmpty)
    #expect(current.pidNamespace.hasPrefix("pid:["))
    #expect(!current.hasEnded)
  }

  @Test func processOfAnotherStartHasEnded() {
    #expect(ProcessIdentity.predecessor.hasEnded)
  }

  @Test func processThatIsGoneHasEnded() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sleep")
    process.arguments = ["60"]
    try process.run()
    var identity = ProcessIdentity.current
    identity.pid = process.processIdentifier
    identity.startTime = try #require(startTime(process.processIdentifier))
    #expect(!identity.hasEnded)
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(identity.hasEnded)
  }

  @Test func nothingIsCertainAboutAnotherHostOrBoot() {
    #expect(!ProcessIdentity.elsewhere.hasEnded)
    var before = ProcessIdentity.predecessor
    before.bootId = "another"
    #expect(!before.hasEnded)
    before.bootId = ""
    #expect(!before.hasEnded)
  }

  @Test func containerThatWasRestartedHasEnded() {
    var before = ProcessIdentity.current
    before.pidNamespace = "pid:[1]"
    #expect(before.hasEnded)
  }
}

private func startTime(_ pid: Int32) -> String? {
  guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return nil }
  return stat.split(separator: ")").last?.split(separator: " ").dropFirst(19).first.map(String.init)
}
