import Foundation
import SystemPackage
import TestSupport
import Testing

/// `jobs`, `status` and `logs`, which read the volume.
@Suite struct JobsCommandTests {
  private func volume(_ scene: Scene, _ command: String, _ arguments: [String] = []) async throws
    -> (end: ProcessEnd, output: String, errors: String)
  {
    try await scene.run([command] + arguments, environment: ["MQTT_JOBS_DIR": scene.jobs.string])
  }

  @Test func eachJobIsListedInTheStateThatItIsIn() async throws {
    try await Scene.play(leaving: .deferred) { scene in
      try scene.job("new", steps: ["true"])
      try scene.job("done", steps: ["exit 3"])
      let first = try scene.worker("worker-01", on: "$share/g/jobs/pending")
      try await first.listens()
      try await scene.send("done")
      try await first.end()
      try scene.job("runs", steps: ["echo first", scene.held])
      try scene.job("waits", steps: ["true"])
      let second = try scene.worker("worker-01", on: "$share/g/jobs/pending")
      try await second.listens()
      try await scene.send("runs")
      try await eventually("the first line") { scene.log("runs") == "first\n" }
      try await scene.send("waits")
      try await eventually("a deferred request") { scene.deferred.count == 1 }
      try await eventually("the second step") { scene.text("runs", "results/step_1.log") != nil }

      let listed = try await volume(scene, "jobs", ["--json"])
      #expect(listed.end == .code(0))
      let jobs = try JSON(Data(listed.output.utf8)).elements
      #expect(jobs.map { $0["id"].string } == ["runs", "waits", "new", "done"])
      #expect(jobs.map { $0["state"].string } == ["running", "queued", "pending", "finished"])
      #expect(jobs[0]["workerId"] == "worker-01" && jobs[0]["attempt"] == 1 && jobs[0]["step"] == 1)
      #expect(jobs[1]["filter"] == "$share/g/jobs/pending" && jobs[1]["since"].string?.hasSuffix("Z") == true)
      #expect(jobs[3]["status"] == "failed" && jobs[3]["exitCode"] == 3)

      let table = try await volume(scene, "jobs")
      let lines = table.output.split(separator: "\n")
      #expect(lines.count == 5 && lines[0].hasPrefix("JOB ") && lines[4].contains("failed"))
      #expect(
        jobs[0]["stepName"].string?.hasPrefix("until [ -e ") == true && jobs[0]["steps"] == 2
          && jobs[0]["phase"] == "running")
      let status = try await volume(scene, "status", ["runs"])
      for text in ["for:        ", "now:        step 2 of 2: until [ -e ", "log:        0 B"] {
        #expect(status.output.contains(text), "\(status.output)")
      }
      let failed = try await volume(scene, "jobs", ["--status", "failed", "--json"])
      #expect(try JSON(Data(failed.output.utf8)).elements.map { $0["id"].string } == ["done"])
      #expect(try await volume(scene, "jobs", ["--status", "fialed"]).end == .code(64))
      let metrics = try await volume(scene, "jobs", ["--metrics"])
      for line in [
        #"mqtt_fs_worker_jobs{state="running"} 1"#, #"mqtt_fs_worker_jobs{state="queued"} 1"#,
        #"mqtt_fs_worker_jobs{state="pending"} 1"#, #"mqtt_fs_worker_finished_jobs{status="failed"} 1"#,
        #"mqtt_fs_worker_finished_jobs{status="success"} 0"#, "mqtt_fs_worker_undelivered_results 0",
        "# TYPE mqtt_fs_worker_oldest_job_age_seconds gauge",
      ] {
        #expect(metrics.output.split(separator: "\n").contains { $0 == line }, "\(line) of \(metrics.output)")
      }
      #expect(
        metrics.output.contains(#"mqtt_fs_worker_finished_job_duration_seconds{status="failed",quantile="1.0"} "#))
      #expect(metrics.output.contains(#"mqtt_fs_worker_oldest_job_age_seconds{state="queued"} "#))
      let only = try await volume(
        scene, "jobs", ["--state", "finished", "--state", "pending", "--last", "0", "--json"])
      #expect(try JSON(Data(only.output.utf8)).elements.map { $0["id"].string } == ["new"])

      try scene.release()
      try await second.end()
    }
  }

  @Test func volumeWithoutJobsHasAnEmptyList() async throws {
    try await Scene.play(.down) { scene in
      #expect(try await volume(scene, "jobs").output == "")
      #expect(try JSON(Data(try await volume(scene, "jobs", ["--json"]).output.utf8)) == [])
      let missing = try await scene.run(["jobs", "-j", "/nowhere"])
      #expect(missing.end == .code(74) && missing.errors.contains("/nowhere"))
    }
  }

  @Test func statusTellsHowAJobEndedStepByStep() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [["name": "build", "run": "echo x > out"], "exit 4"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await worker.end()
      let text = try await volume(scene, "status", ["job"])
      #expect(text.end == .code(0))
      #expect(text.output.contains("status:") && text.output.contains("failed") && text.output.contains("build"))
      let json = try JSON(Data(try await volume(scene, "status", ["job", "--json"]).output.utf8))
      #expect(json["state"] == "finished" && json["exitCode"] == 4)
      #expect(json["result"] == scene.result("job"))
      #expect(text.output.contains("ARTIFACT  SIZE  CHANGE\nout       2 B   new\n"), "\(text.output)")
      let unknown = try await volume(scene, "status", ["other"])
      #expect(unknown.end == .code(66) && unknown.errors.contains("no job other"))
      #expect(try await volume(scene, "status", ["../job"]).end == .code(65))
    }
  }

  @Test func logsAreAllStepsOrOne() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["printf one", ["run": "exit 1"], "true", ["run": "printf four", "always": true]])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await worker.end()
      #expect(try await volume(scene, "logs", ["job"]).output == "onefour")
      #expect(try await volume(scene, "logs", ["job", "--step", "3"]).output == "four")
      #expect(try await volume(scene, "logs", ["other"]).end == .code(66))
      let beyond = try await volume(scene, "logs", ["job", "--step", "4"])
      #expect(beyond.end == .code(66) && beyond.errors.contains("job job has steps 0 to 3, and no step 4"))
    }
  }

  @Test func logsAreFollowedToTheEndOfTheJob() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo first", scene.held, "echo last; exit 5"])
      let logs = try scene.client(["logs", "job", "--follow", "-j", scene.jobs.string])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await logs.prints("first\n")
      try scene.release()
      #expect(try await logs.end() == .code(0))
      #expect(logs.output == "first\nlast\n")
    }
  }
}
