import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Tests of the fixture: it finds what a test must not leave behind.
@Suite struct SceneTests {
  @Test func whatIsLeftIsReported() async throws {
    var left: ChildProcess?
    try await withKnownIssue {
      try await Scene.play(.down) { scene in
        try scene.write("{}", scene.jobs.appending(".worker").appending("claims").appending("job.1.json"))
        try scene.write("{}", scene.jobs.appending(".worker").appending("waiting").appending("f").appending("1-a.json"))
        try scene.write("", scene.workspaces.appending("job").appending("file"))
        left = try scene.start(installed("sleep"), ["1000"], name: "left")
        // For a moment after execve(2) a process shows no environment.
        try await eventually("the process to be seen") { !scene.processes.isEmpty }
      }
    } matching: { issue in
      ["claims are left", "deferred requests are left", "workspaces are left", "processes are left"].contains {
        issue.description.contains($0)
      }
    }
    #expect(left?.end == .signal(SIGKILL))
  }

  @Test func whatATestSaysThatItLeavesIsNot() async throws {
    try await Scene.play(.down, leaving: [.claims, .workspaces]) { scene in
      try scene.write("{}", scene.jobs.appending(".worker").appending("claims").appending("job.1.json"))
      try scene.write("", scene.workspaces.appending("job").appending("file"))
    }
  }

  @Test func loopThatIsKilledBeginsAgain() async throws {
    try await Scene.play { scene in
      let loop = try scene.restartLoop()
      for life in 1...3 {
        try await loop.current.listens()
        loop.kill()
        try await eventually("life \(life) to end and the next to begin") { loop.ends.count == life }
      }
      try await loop.current.listens()
      #expect(loop.lives == 4)
      #expect(loop.ends == [.signal(SIGKILL), .signal(SIGKILL), .signal(SIGKILL)])
      #expect(try await loop.stop() == .code(0))
    }
  }

  @Test func brokerThatIsKilledComesBackWithWhatItSaved() async throws {
    var options = Broker.Options()
    options.persistence = .everySecond
    try await Scene.play(broker: options) { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      #expect(try await scene.send("job") == .success)
      try await eventually("the broker to save") {
        scene.broker.logged("Saving in-memory database") > 1
      }
      try await scene.broker.kill()
      try await scene.broker.start()
      #expect(
        try await scene.broker.sessions()["worker-01"] == BrokerSession(filters: ["jobs/pending"], queued: 1))
    }
  }
}
