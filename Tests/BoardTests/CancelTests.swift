import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct CancelTests {
  /// A job that runs until it is ended.
  private func running(_ scene: Scene) async throws -> WorkerProcess {
    try scene.jobs.write(#"{"steps":["echo begun; exec sleep 600"]}"#, "job/job.json")
    let worker = try scene.worker()
    try await worker.listens()
    let sending = try scene.start(
      installed("mosquitto_pub"),
      ["-p", "\(scene.broker.port)", "-t", "jobs/pending", "-q", "1", "-m", #"{"id":"job"}"#], name: "send")
    try await sending.end()
    try await eventually("the step") {
      (try? String(contentsOfFile: scene.jobs.appending("job/results/step_0.log").string, encoding: .utf8)) == "begun\n"
    }
    return worker
  }

  @Test func jobIsCanceledWhereThatIsAllowed() async throws {
    try await Scene.play { scene in
      let worker = try await running(scene)
      let board = try await BoardProcess(
        in: scene, ["--url", "mqtt://127.0.0.1:\(scene.broker.port)", "--allow-cancel"])
      #expect(try await board.row("job")[1] as? String == "running")
      let foreign = try await board.send("POST", "/api/jobs/job/cancel", ["Origin": "http://evil.example"])
      #expect(foreign.status == 403 && foreign.error.contains("evil.example"))
      #expect(try await board.send("POST", "/api/jobs/job/cancel").status == 403)
      let answer = try await board.send("POST", "/api/jobs/job/cancel", ["Origin": "http://127.0.0.1:\(board.port)"])
      #expect(answer.status == 202, "\(answer.body)")
      try await worker.end()
      try await eventually("the canceled row") { try await board.row("job")[2] as? String == "canceled" }
      let again = try await board.send("POST", "/api/jobs/job/cancel", ["Origin": "http://127.0.0.1:\(board.port)"])
      #expect(again.status == 409 && again.error.contains("no worker has job job"))
      try await board.stop()
    }
  }

  @Test func jobIsNotCanceledOtherwise() async throws {
    try await Scene.play { scene in
      let worker = try await running(scene)
      let board = try await BoardProcess(in: scene, ["--url", "mqtt://127.0.0.1:\(scene.broker.port)"])
      let answer = try await board.send("POST", "/api/jobs/job/cancel", ["Origin": "http://127.0.0.1:\(board.port)"])
      #expect(answer.status == 403 && answer.error.contains("--allow-cancel"))
      #expect(try await board.send("GET", "/api/jobs/job").json["mayCancel"] as? Bool == false)
      #expect(worker.process.end == nil)
      // The broker tells of the worker what the volume does not.
      let version = try #require(try await board.send("GET", "/api/jobs").json["version"] as? String)
      let stream = try board.open("GET", "/api/events?since=\(version)")
      try await stream.read(until: #""version":"0.1.0""#)
      try await board.stop()
    }
  }
}
