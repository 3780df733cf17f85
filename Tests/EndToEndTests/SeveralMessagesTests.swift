import MQTT
import SystemPackage
import TestSupport
import Testing

/// A broker that ignores Receive Maximum, as all do on MQTT 3.1.1, sends all queued messages at once. Under TLS, one
/// read brings several of them.
@Suite struct SeveralMessagesTests {
  enum Connection: CaseIterable {
    case older, olderOverTLS, overTLS
  }

  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending"], Connection.allCases)
  func nothingIsLostWhenSeveralMessagesComeAtOnce(_ filter: String, _ connection: Connection) async throws {
    var options = Broker.Options("max_inflight_messages 20")
    options.tls = (.valid, .anybody)
    try await Scene.play(broker: options) { scene in
      let ids = (1...10).map { "job_\($0)" }
      for id in ids { try scene.job(id, steps: [.string(scene.noteRun)]) }
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: filter)
      for id in ids { try await scene.send(id) }
      let version = connection == .overTLS ? [] : ["-v", "4"]
      let tls = ["-u", scene.broker.tlsURL, "--ca-certs", try scene.broker.certificates.authority.string]
      let loop = try scene.restartLoop(on: filter, connection == .older ? version : version + tls)
      try await eventually("all results") { Set(results.messages.map(\.topic)).count == ids.count }
      try await scene.broker.session(of: "worker-01") { $0?.queued == 0 }
      #expect(loop.ends.allSatisfy { $0 == .code(0) })
      for id in ids { #expect(scene.runs(id) == 1) }
      #expect(results.messages.count == ids.count)
    }
  }
}
