import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// One request leads to one run and one result.
@Suite(.everyAccess) struct OneJobTests {
  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending", "jobs/+", "+/pending", "$share/workers/+/pending"])
  func jobRunsOverEveryKindOfFilter(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job(
        "job_2026_01", steps: ["echo hello", "mkdir -p out && cat input.txt > out/copy.txt"], ["input.txt": "one"])
      let results = try await scene.results()
      let worker = try scene.worker(on: filter)
      try await worker.listens()
      #expect(try await scene.send("job_2026_01") == .success)
      let message = try await results.message(on: "jobs/results/job_2026_01")
      #expect(try await worker.end() == .code(0))
      #expect(message.qos == .atLeastOnce)
      #expect(message.json["id"] == "job_2026_01")
      #expect(message.json["status"] == "success")
      #expect(message.json["exitCode"] == 0)
      #expect(message.json["manifestFile"] == "results/result.json")
      #expect(scene.log("job_2026_01") == "hello\n")
      #expect(scene.text("job_2026_01", "results/out/copy.txt") == "one")
      #expect(scene.text("job_2026_01", "results/input.txt") == nil)
      #expect(results.messages.count == 1)
    }
  }

  /// Such a filter also matches the worker's own results and events.
  @Test(arguments: ["jobs/#", "$share/workers/jobs/#"])
  func resultsAndEventsAreNotTakenForRequests(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job("first", steps: ["echo run >> $JOB_RESULTS_DIR/../runs"])
      try scene.job("second", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker(on: filter)
      try await worker.listens()
      try await scene.send("first")
      try await results.message(on: "jobs/results/first")
      #expect(try await worker.end() == .code(0))
      // The messages of the first life wait for the second, in the session and as retained results.
      let next = try scene.worker(on: filter)
      try await next.listens()
      try await scene.send("second")
      try await results.message(on: "jobs/results/second")
      #expect(try await next.end() == .code(0))
      #expect(results.messages.map(\.topic) == ["jobs/results/first", "jobs/results/second"])
      #expect(scene.text("first", "runs") == "run\n")
      let late = try await scene.results()
      try await late.messages(2)
    }
  }

  @Test func resultFileHasTheKeysOfTheNodeWorker() async throws {
    try await Scene.play { scene in
      try scene.job("good", steps: ["echo one", "echo two >&2; exit 0"])
      try scene.job("bad", steps: ["true", "echo before; exit 7", "echo never"])
      for id in ["good", "bad"] {
        let worker = try scene.worker()
        try await worker.listens()
        try await scene.send(id)
        #expect(try await worker.end() == .code(0))
      }
      let good = scene.result("good")
      #expect(good["jobId"] == "good")
      #expect(good["status"] == "success")
      #expect(good["error"] == .null)
      let timing = good["timing"]
      let start = try #require(timing["start"].string.flatMap(instant))
      let end = try #require(timing["end"].string.flatMap(instant))
      let duration = try #require(timing["durationMs"].number)
      #expect(start <= end)
      #expect(abs(end.timeIntervalSince(start) * 1000 - duration) < 1000)
      #expect(good["steps"].elements.count == 2)
      for (index, step) in good["steps"].elements.enumerated() {
        #expect(step["index"] == .number(Double(index)))
        #expect(step["status"] == "success")
        #expect(step["exitCode"] == 0)
        #expect(step["durationMs"].number != nil)
        let log = try #require(step["log"].string)
        #expect(log.hasSuffix("step_\(index).log"))
      }
      #expect(good["steps"][0]["command"] == "echo one")
      #expect(scene.log("good", step: 1) == "two\n")

      let bad = scene.result("bad")
      #expect(bad["status"] == "failed")
      #expect(bad["exitCode"] == 7)
      #expect(bad["error"].string?.contains("7") == true)
      #expect(bad["steps"][1]["status"] == "failed")
      #expect(bad["steps"][1]["exitCode"] == 7)
      #expect(scene.log("bad", step: 1) == "before\n")
      #expect(scene.text("bad", "results/step_2.log") == nil)
    }
  }

  @Test func resultFileTellsWhoDidItAndWhatChanged() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job", steps: ["echo new > new.txt; echo more >> old.txt; rm gone.txt; touch same.txt"],
        ["old.txt": "old\n", "gone.txt": "", "same.txt": "same"])
      let worker = try scene.worker("worker-07")
      try await worker.listens()
      try await scene.send("job", ["requestId": "order-4711"])
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["schema"] == 1)
      #expect(result["attempt"] == 1)
      #expect(result["workerId"] == "worker-07")
      #expect(result["requestId"] == "order-4711")
      #expect(result["workerVersion"].string?.isEmpty == false)
      #expect(result["host"].string?.isEmpty == false)
      for part in ["stageMs", "runMs", "syncMs"] { #expect(result["timing"][part].number != nil) }
      let artifacts = result["artifacts"].elements.sorted { $0["path"].text < $1["path"].text }
      #expect(artifacts.map { $0["path"] } == ["new.txt", "old.txt"])
      #expect(artifacts.map { $0["change"] } == ["new", "modified"])
      #expect(artifacts[0]["size"] == 4)
      #expect(artifacts[0]["sha256"] == "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c")
      #expect(result["deleted"] == ["gone.txt"])
      #expect(scene.text("job", "results/old.txt") == "old\nmore\n")
      #expect(
        scene.volume == [
          "job/", "job/job.json", "job/old.txt", "job/gone.txt", "job/same.txt", "job/results/",
          "job/results/new.txt", "job/results/old.txt", "job/results/step_0.log", "job/results/result.json",
        ])
    }
  }

  @Test func mosquittoRrPrintsTheResult() async throws {
    try await Scene.play { scene in
      try scene.job("job_2026_01", steps: ["echo hi"])
      let worker = try scene.worker()
      try await worker.listens()
      let rr = try scene.start(
        installed("mosquitto_rr"),
        [
          "-V", "5", "-t", "jobs/pending", "-e", "replies/1", "-m", #"{"id":"job_2026_01"}"#,
        ], environment: scene.environment.merging(scene.broker.clientEnvironment()) { $1 }, name: "rr")
      #expect(try await rr.end() == .code(0))
      let answer = try JSON(Data(rr.output.utf8))
      #expect(answer["id"] == "job_2026_01")
      #expect(answer["status"] == "success")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func responseTopicIsAnsweredWithItsCorrelationData() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["exit 3"])
      let results = try await scene.results()
      let replies = try await scene.broker.collect("replies/#")
      let worker = try scene.worker()
      try await worker.listens()
      let correlation: [UInt8] = [0, 1, 254, 255]
      try await scene.send(
        "job", properties: MessageProperties(responseTopic: "replies/me", correlationData: correlation))
      let reply = try await replies.message(on: "replies/me")
      let result = try await results.message()
      #expect(reply.json == result.json)
      #expect(reply.json["status"] == "failed")
      #expect(reply.json["exitCode"] == 3)
      #expect(reply.properties.correlationData == correlation)
      #expect(reply.retention == .notRetained)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func responseTopicThatCannotBePublishedToDoesNotHoldTheResult() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", properties: MessageProperties(responseTopic: "nobody/listens"))
      try await results.message(on: "jobs/results/job")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func eventsTellTheJobInOrder() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true", ["name": "build", "run": "exit 2", "continueOnError": true], "true"])
      let everything = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await everything.message(on: "jobs/events/job") { $0.json["event"] == "completed" }
      #expect(try await worker.end() == .code(0))
      let events = everything.messages(on: "jobs/events/job")
      #expect(
        events.map { $0.json["event"].string } == [
          "accepted", "started", "step-started", "step", "step-started", "step", "step-started", "step", "completed",
        ])
      #expect(events.allSatisfy { $0.qos == .atLeastOnce && $0.retention == .notRetained })
      #expect(events.allSatisfy { $0.json["id"] == "job" && $0.json["workerId"] == "worker-01" })
      #expect(events[4].json["step"] == 1 && events[4].json["steps"] == 3 && events[4].json["name"] == "build")
      #expect(events[5].json["step"] == 1)
      #expect(events[5].json["name"] == "build")
      #expect(events[5].json["exitCode"] == 2)
      // First result.json, then the published result, then the end.
      #expect(everything.messages.map(\.topic).suffix(2) == ["jobs/results/job", "jobs/events/job"])
    }
  }

  @Test func failedResultCarriesTheTailOfItsLog() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["seq 1 5000; echo the end; exit 1"])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      let tail = try #require(try await results.message().json["tail"].string)
      #expect(tail.hasSuffix("5000\nthe end\n"))
      #expect(tail.utf8.count <= 4096 && tail.utf8.count > 4000)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func stepsInTheRequestNeedNoFolder() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("made-up", ["steps": ["echo $WORD > word.txt"], "env": ["WORD": "given"]])
      #expect(try await results.message().json["status"] == "success")
      #expect(try await worker.end() == .code(0))
      #expect(scene.text("made-up", "results/word.txt") == "given\n")
    }
  }

  @Test func qosZeroRequestIsRunWithAWarning() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", #"{"id":"job"}"#, qos: .atMostOnce)
      #expect(try await results.message().json["status"] == "success")
      #expect(try await worker.end() == .code(0))
      #expect(worker.logLines.contains { $0["level"] == "warning" && $0["message"].text.contains("QoS 0") })
    }
  }

  @Test func olderProtocolDoesTheSameWithoutRetaining() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker(on: "$share/workers/jobs/pending", ["-v", "4"])
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", #"{"id":"job"}"#, version: .v311)
      let message = try await results.message()
      #expect(message.json["status"] == "success")
      #expect(message.retention == .notRetained)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func secondRunBringsItsOwnOutputAndNoInputs() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["cat input.txt > output.txt; ls > seen.txt"], ["input.txt": "first"])
      let results = try await scene.results()
      for (input, count) in [("first", 1), ("second", 2)] {
        try scene.write(input, scene.jobs.appending("job").appending("input.txt"))
        let worker = try scene.worker()
        try await worker.listens()
        try await scene.send("job")
        #expect(try await worker.end() == .code(0))
        try await results.messages(count)
        #expect(scene.text("job", "results/output.txt") == input)
      }
      #expect(scene.text("job", "results.previous/output.txt") == "first")
      #expect(scene.text("job", "results/input.txt") == nil)
      #expect(scene.text("job", "results/job.json") == nil)
      // The second run saw nothing of the first.
      #expect(scene.text("job", "results/seen.txt") == "input.txt\njob.json\noutput.txt\nseen.txt\n")
      #expect(scene.result("job")["artifacts"].elements.count == 2)
    }
  }

  /// Some supervisors start programs like this. Files opened later get these numbers. If all were closed, the log would
  /// go to the descriptor that reports signals, and end the worker.
  @Test(arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
  func workerWithoutStandardStreamsDoesItsJob(_ closing: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["readlink /proc/self/fd/0; echo out; echo error >&2"])
      let process = try scene.start(
        installed("sh"),
        [
          "-c", "exec \"$0\" \"$@\" \(closing)", try WorkerProcess.executable.string, "-j", scene.jobs.string, "-w",
          scene.workspaces.string,
        ], environment: scene.environment.merging(scene.broker.workerEnvironment) { $1 }, name: "worker")
      try await WorkerProcess(process, id: "worker-01", broker: scene.broker, startOfLog: 0).listens()
      try await scene.send("job")
      #expect(try await process.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.log("job") == "/dev/null\nout\nerror\n")
    }
  }
}

private func instant(_ text: String) -> Date? {
  try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}
