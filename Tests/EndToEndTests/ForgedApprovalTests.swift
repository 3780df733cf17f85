import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Parked requests that were forged by somebody with write access to the volume.
@Suite struct ForgedApprovalTests {
  private static let odd = #"a\u001b[2J\u009b2J\u202eb\u200b\n\rapprove: job job is approved"#
  private static let good = #""payload":"{\"id\":\"job\",\"steps\":[\"true\"]}","topic":"jobs/pending","requestId":"r""#

  /// Writes a parked request with exactly this text and with this number in its name.
  private func park(_ scene: Scene, _ text: String, _ instant: String = "1700000000000000000") throws {
    try scene.write(text, scene.jobs.appending(".worker/parked/jobs%2Fpending/\(instant)-job.json"))
  }

  private func expectNothingRaw(_ run: (end: ProcessEnd, output: String, errors: String)) {
    for scalar in (run.output + run.errors).unicodeScalars where scalar != "\n" {
      let category = scalar.properties.generalCategory
      #expect(category != .control && category != .format, "\(scalar.value) in \(run.output)\(run.errors)")
    }
    // A separate line would be believed.
    let lines = (run.output + run.errors).split(separator: "\n")
    #expect(lines.filter { $0.hasPrefix("approve: job job is approved") }.count <= 1)
    if case .signal(let signal) = run.end { Issue.record("it ended by signal \(signal)") }
  }

  /// A parked request is described by its name, its envelope and its payload.
  @Test(arguments: [
    #"{"payload":"{\"id\":\"job\"}","topic":"\#(odd)","requestId":"\#(odd)","responseTopic":"\#(odd)"}"#,
    #"{\#(good),"correlationData":[256]}"#, #"{\#(good),"correlationData":[-1]}"#,
    #"{\#(good),"correlationData":[1e400]}"#,
    #"{\#(good),"correlationData":[9223372036854775808]}"#, #"{\#(good),"run":9223372036854775807}"#,
    #"{\#(good),"run":"\#(odd)","attempt":9223372036854775807,"size":-1,"time":1e308}"#,
    #"{\#(good),"approval":{"decision":"approved","by":"\#(odd)","time":"\#(odd)","requestDigest":"sha256:0"}}"#,
    #"{\#(good),"approval":{"decision":"\#(odd)","by":1e999,"time":-1,"requestDigest":[]}}"#,
    #"{"payload":"{\"id\":\"job\",\"timeout\":1e308}","topic":"t","requestId":"r"}"#,
    #"{"payload":"{\"id\":\"job\",\"timeout\":\"9223372036854775807h\"}","topic":"t","requestId":"r"}"#,
    #"{"payload":"{\"id\":\"job\",\"steps\":[{\"run\":\"true\",\"timeout\":-9223372036854775808}]}","topic":"t","requestId":"r"}"#,
    #"{"payload":"{\"id\":\"job\",\"steps\":[\"echo \\u001b[2J\\u202e\"],\"env\":{\"A\":\"\\u001b\"}}","topic":"t","requestId":"r"}"#,
    #"{"payload":"{\"id\":\"other\"}","topic":"t","requestId":"r"}"#,
    #"{"payload":"\u001b[2J","topic":"t","requestId":"r"}"#,
    #"{"payload":5,"topic":[],"requestId":{}}"#, "{", "", "[[[[[[[[[[[[[[[[", "null",
  ])
  func forgedDeferredRequestIsNeitherATrapNorWrittenRaw(_ text: String) async throws {
    try await Scene.play(.down, leaving: .deferred) { scene in
      try scene.job("job", ["steps": ["true"], "maxAttempts": 3])
      for instant in ["9223372036854775807", "-9223372036854775808", "0", "9223372036854775808", "1e18"] {
        try park(scene, text, instant)
      }
      let list = try await scene.run(["approve", "-j", scene.jobs.string])
      #expect(list.end == .code(0), "\(list.errors)")
      expectNothingRaw(list)
      for extra in [["jobs", "--json"], ["status", "job"]] {
        expectNothingRaw(try await scene.run(extra + ["-j", scene.jobs.string]))
      }
      try scene.remove(scene.jobs.appending(".worker/parked"))
      for arguments in [["job", "--reject"], ["job"]] {
        try park(scene, text)
        let run = try await scene.run(["approve", "-j", scene.jobs.string] + arguments)
        #expect([.code(0), .code(65), .code(66)].contains(run.end), "\(run)")
        expectNothingRaw(run)
      }
    }
  }

  @Test(arguments: [
    #"{"steps":["true"],"timeout":1e308}"#, #"{"steps":["true"],"maxAttempts":9223372036854775808}"#,
    #"{"steps":["true"],"timeout":"99999999999999999999d"}"#, #"{"steps":["echo \u001b[2J\u202e\u009b"]}"#,
    #"{"steps":[{"name":"\u001b]0;x\u0007","run":"true","shell":["\u202e"],"timeout":1e-300}],"env":{"\u001b":"x"}}"#,
  ])
  func figuresOfAForgedDefinitionAreNoTrap(_ definition: String) async throws {
    try await Scene.play(.down, leaving: .deferred) { scene in
      try scene.write(definition, scene.jobs.appending("job/job.json"))
      try park(scene, #"{"payload":"{\"id\":\"job\"}","topic":"jobs/pending","requestId":"r"}"#)
      let run = try await scene.run(["approve", "-j", scene.jobs.string, "job"])
      #expect([.code(0), .code(65)].contains(run.end), "\(run)")
      expectNothingRaw(run)
    }
  }

  /// Somebody exchanges the request after it is shown and before the decision.
  @Test func whatIsApprovedIsWhatWasShown() async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": ["true"]])
      let shown =
        #"{"payload":"{\"id\":\"job\",\"steps\":[\"echo shown > which\"]}","topic":"jobs/pending","requestId":"r"}"#
      let other = shown.replacingOccurrences(of: "echo shown", with: "echo other")
      try park(scene, shown)
      let approve = try scene.start(
        WorkerProcess.executable, ["approve", "-j", scene.jobs.string, "job"],
        environment: scene.environment.merging(["MQTT_FS_WORKER_STOP_AT": "decisionWritten"]) { $1 }, name: "approve")
      try await approve.stopped()
      #expect(approve.errors.contains("echo shown > which"), "\(approve.errors)")
      try park(scene, other)
      approve.send(SIGCONT)
      #expect(try await approve.end() == .code(0))
      let worker = try scene.worker(["--lease", "1s", "--require-approval"])
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success", "\(scene.result("job"))")
      #expect(scene.text("job", "results/which") == "shown\n")
      // The digest shown is the one in the audit log.
      let digest = approve.errors.split(separator: "\n").first { $0.hasPrefix("digest") }?.split(separator: " ").last
      let claimed = scene.audit().first { $0["event"] == "claimed" }
      #expect(claimed?["requestDigest"].string == digest.map(String.init))
    }
  }
}
