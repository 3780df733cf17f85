import Glibc
import TestSupport
import Testing

/// What a worker's log says of its life: nobody should have to ask whether it is there, and what went wrong.
@Suite struct WorkerLogTests {
  @Test func workerSaysWhereItListensAndHowJobsEnd() async throws {
    try await Scene.play { scene in
      try scene.job("good", steps: ["true"])
      try scene.job("bad", steps: ["true", "exit 3"])
      try scene.job("odd", ["steps": [["run": "true", "workingDirectory": "nowhere"]]])
      let worker = try scene.worker(["--jobs", "3"])
      try await worker.says("listening on jobs/pending at 127.0.0.1:\(scene.broker.port)")
      for id in ["good", "bad", "odd"] { try await scene.send(id) }
      #expect(try await worker.end() == .code(0))
      let lines = worker.log.split(separator: "\n").filter { $0.contains("the job ended") }
      #expect(lines.count == 3, "\(worker.log)")
      #expect(lines[0].contains("info") && lines[0].contains("the job ended: success"))
      #expect(lines[1].contains("warning") && lines[1].contains("failed: step 1 failed with exit code 3"))
      #expect(lines[1].contains("exitCode") && lines[1].contains("durationMs"))
      #expect(lines[2].contains("error") && lines[2].contains("nowhere"), "\(lines[2])")
    }
  }

  @Test func endOfAnOutageIsTold() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker([])
      try await worker.listens()
      try await scene.broker.restart()
      try await worker.says("connected again after")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }
}
