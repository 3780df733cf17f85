import Foundation
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Hostile messages and files that reach the senders of jobs and the operators of workers.
@Suite struct HostileMessageTests {
  /// The worker tells the broker the largest packet that it takes, and gets no larger one. It does not rely on the broker's
  /// sending what follows.
  @Test func messageOf64MiBMakesNoWorkerGrowOrDeaf() async throws {
    // mosquitto 2.1 takes 2 MB unless it is told otherwise.
    try await Scene.play(broker: .init("max_packet_size 268435455")) { scene in
      let worker = try scene.worker("worker-01", on: group, ["--lease", "1s"])
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", String(repeating: "x", count: 64 << 20))
      try scene.job("job", steps: ["grep VmHWM: /proc/$PPID/status"])
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(try #require(Int(scene.log("job").filter(\.isNumber))) < 64 << 10)
    }
  }

  /// Impossible numbers do not end a command.
  @Test func absurdFiguresAreShownOrLeftOut() async throws {
    try await Scene.play { scene in
      let numbers = ["1e300", "-1e300", "-1", "0", "9223372036854775807", "-9223372036854775808"]
      for (index, number) in numbers.enumerated() {
        // Only the heartbeat may be a fraction; the other numbers are left out where they are not integers.
        let figures = number.contains("e") ? "" : #","memory":\#(number),"jobsFree":\#(number),"step":\#(number)"#
        try await scene.broker.publish(
          "workers/w\(index)/status",
          #"{"state":"busy","workerId":"w\#(index)","heartbeat":\#(number),"load":\#(number),"#
            + #""since":"0001-01-01T00:00:00.000Z","time":"9999-12-31T23:59:59.999Z"\#(figures)}"#, .retained)
        try scene.write(
          #"{"artifacts":[],"attempt":\#(Int.max),"deleted":[],"exitCode":\#(Int.min),"host":"h","jobId":"j\#(index)","#
            + #""schema":1,"skipped":[],"status":"failed","steps":[{"index":0,"command":"x","status":"failed","exitCode":-1,"#
            + #""durationMs":\#(Int.max),"log":null,"logBytes":\#(Int.min),"logDropped":0,"timedOut":false,"killed":false,"#
            + #""endedProcesses":\#(Int.max)}],"timing":{"start":"x","end":"y","durationMs":\#(Int.min)},"#
            + #""workerId":"w","workerVersion":"1"}"#, scene.jobs.appending("j\(index)/results/result.json"))
      }
      for command in [["workers", "--wait", "1s"], ["workers", "--wait", "1s", "--json"]] {
        let run = try await scene.run(command + ["-u", scene.broker.url])
        #expect(run.end == .code(0), "\(run.errors)")
        for index in numbers.indices { #expect(run.output.contains("w\(index)")) }
      }
      for command in [["jobs"], ["jobs", "--json"], ["status", "j1"], ["status", "j1", "--json"]] {
        let run = try await scene.run(command + ["-j", scene.jobs.string])
        #expect(run.end == .code(0), "\(command): \(run.errors)")
        #expect(run.output.contains("j1"))
      }
    }
  }

  @Test func forgedLineOfDroppedOutputIsPrinted() async throws {
    try await Scene.play { scene in
      let words = "\n[\(Int64.max) bytes of output were dropped here: the log's limit is 1000 bytes]"
      let line = words.padding(toLength: 127, withPad: " ", startingAt: 0) + "\n"
      let half = String(repeating: "x", count: 500)
      try scene.job("job", steps: ["cat forged", scene.held, "echo more"], ["forged": half + line + half])
      try scene.worker()
      let submit = try scene.submit(scene.jobs.appending("job"))
      try await submit.prints(half + line + half)
      let logs = try scene.client(["logs", "job", "-j", scene.jobs.string])
      #expect(try await logs.end() == .code(0))
      #expect(logs.output == half + line + half)
      try scene.release()
      #expect(try await submit.end() == .code(0), "\(submit.errors)")
      #expect(submit.output == half + line + half + "more\n")
    }
  }

  @Test func offsetThatNoLogHasIsPassedOver() async throws {
    try await Scene.play { scene in
      let (submit, key) = try await fakeWorker(scene)
      for offset in ["\(Int64.max)", "\(Int64.max - 2)", "\(Int64.min)", "-1", "1e300", "18446744073709551616"] {
        var piece = Message("jobs/logs/job/0", "forged")
        piece.properties.userProperties = [UserProperty(name: "offset", value: offset)]
        piece.properties.userProperties.append(UserProperty(name: "requestId", value: "another's"))
        try await scene.broker.publish([piece])
        piece.properties.userProperties[1] = UserProperty(name: "requestId", value: key)
        try await scene.broker.publish([piece])
      }
      var piece = Message("jobs/logs/job/0", "its own\n")
      piece.properties.userProperties = [UserProperty(name: "offset", value: "0")]
      try await scene.broker.publish([piece])
      try await submit.prints("its own\n")
      try await scene.broker.publish("jobs/results/job", result(key, #""status":"success","exitCode":0"#))
      #expect(try await submit.end() == .code(0), "\(submit.errors)")
    }
  }

  /// Only a result with the request's key is the answer, and the exit code is 0 only for success.
  @Test(
    arguments: [
      (#""status":"failed","exitCode":0"#, 1), (#""status":"failed","exitCode":256"#, 1),
      (#""status":"failed","exitCode":1099511627776"#, 1), (#""status":"failed","exitCode":-9223372036854775808"#, 1),
      (#""status":"failed","exitCode":255"#, 255), (#""status":"failed""#, 1), (#""status":"success","exitCode":7"#, 7),
      (#""status":"success","exitCode":0,"durationMs":-9223372036854775808,"attempt":9223372036854775807"#, 0),
    ] as [(String, Int32)])
  func onlyTheOwnRequestsResultEndsIt(_ end: String, _ code: Int32) async throws {
    try await Scene.play { scene in
      let (submit, key) = try await fakeWorker(scene)
      for forged in [
        #"{"id":"job","status":"success","exitCode":0}"#, #"{"id":"job","status":"rejected","error":"forged"}"#,
        result("another's", #""status":"success","exitCode":0"#),
      ] {
        try await scene.broker.publish("jobs/results/job", forged, .retained)
      }
      var other = Message("jobs/results/job", #"{"id":"job","status":"success","exitCode":0}"#)
      other.properties.correlationData = Array("another's".utf8)
      try await scene.broker.publish([other])
      try await scene.broker.publish("jobs/events/job", #"{"event":"duplicate","id":"job","time":"","workerId":"w"}"#)
      // The command reads its topics in order, so this arrives after the forged messages.
      try await scene.broker.publish("jobs/logs/job/0", "read so far\n")
      try await submit.prints("read so far\n")
      #expect(submit.end == nil)
      try await scene.broker.publish("jobs/results/job", result(key, end))
      #expect(try await submit.end() == .code(code), "\(submit.errors)")
      #expect(!submit.errors.contains("forged"))
    }
  }

  /// Foreign text cannot control the terminal, or forge a line of the command's output.
  @Test func foreignTextInAResultIsShownAsText() async throws {
    try await Scene.play { scene in
      let (submit, key) = try await fakeWorker(scene)
      let foreign = #"a\u001b[2J\u009b2J\u202eb\u200b\nsubmit: job job: success"#
      try await scene.broker.publish(
        "jobs/events/job",
        #"{"attempt":2,"event":"accepted","id":"job","requestId":"\#(key)","time":"","workerId":"\#(foreign)"}"#)
      try await submit.says("over, attempt 2")
      try await scene.broker.publish(
        "jobs/results/job",
        #"{"id":"job","requestId":"\#(key)","status":"failed","exitCode":3,"error":"\#(foreign)","workerId":"\#(foreign)"}"#
      )
      #expect(try await submit.end() == .code(3))
      #expect(submit.errors.contains(#"a\u{001B}[2J\u{009B}2J\u{202E}b\u{200B} submit: job job: success"#))
      #expect(!submit.errors.contains("\nsubmit: job job: success"))
      #expect(submit.errors.unicodeScalars.allSatisfy { $0 == "\n" || !hides($0) })
    }
  }

  @Test func foreignTextInJSONIsEscaped() async throws {
    try await Scene.play { scene in
      let status: JSON = ["state": "idle", "workerId": "w", "host": "a\u{1B}\u{9B}\u{202E}\u{E0001}b"]
      try await scene.broker.publish("workers/w/status", status.text, .retained)
      let run = try await scene.run(["workers", "--json", "--wait", "1s", "-u", scene.broker.url])
      #expect(run.output.unicodeScalars.allSatisfy { $0 == "\n" || !hides($0) })
      #expect(try JSON(Data(run.output.utf8))[0]["host"] == status["host"])
    }
  }

  @Test(arguments: ["text", "json"])
  func foreignTextInALogIsShownAsText(_ format: String) async throws {
    try await Scene.play { scene in
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--log-format", format])
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", #"{"id":"job","steps":["true"],"a\u202e\u009b":1}"#)
      try await worker.end()
      try await scene.broker.publish("jobs/pending", #"{"id":"a\u202eb\u001b"}"#)
      #expect(worker.log.unicodeScalars.allSatisfy { $0 == "\n" || !hides($0) })
    }
  }

  /// Runs `submit` with a job that nobody runs, and returns the key of its request, too.
  private func fakeWorker(_ scene: Scene) async throws -> (ChildProcess, String) {
    let requests = try await scene.broker.collect("jobs/pending")
    let folder = try scene.folder("job", ["steps": ["true"]])
    let submit = try scene.client(["submit", folder.string, "--no-volume"])
    let key = try await requests.message().json["requestId"].string
    return (submit, try #require(key))
  }

  private func result(_ key: String, _ more: String) -> String { #"{"id":"job","requestId":"\#(key)",\#(more)}"# }

  private func hides(_ scalar: Unicode.Scalar) -> Bool {
    [.control, .format, .privateUse, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
  }
}
