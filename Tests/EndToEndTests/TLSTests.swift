import SystemPackage
import TestSupport
import Testing

/// A broker that is reached over TLS.
@Suite struct TLSTests {
  private func options(_ server: Certificates.Server, _ client: Certificates.Client) -> Broker.Options {
    var options = Broker.Options()
    options.tls = (server, client)
    return options
  }

  @Test(arguments: ["5", "4"])
  func jobRunsOverTLS(_ version: String) async throws {
    try await Scene.play(broker: options(.valid, .anybody)) { scene in
      for id in ["a", "b"] { try scene.job(id, steps: ["true"]) }
      let results = try await scene.results()
      let authority = try scene.broker.certificates.authority.string
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      for id in ["a", "b"] { try await scene.send(id) }
      for _ in ["a", "b"] {
        let worker = try scene.worker(
          "worker-01", on: "jobs/pending", ["-u", scene.broker.tlsURL, "--ca-certs", authority, "-v", version])
        #expect(try await worker.end() == .code(0))
      }
      try await results.messages(2)
      #expect(results.messages.map { $0.json["id"] } == ["a", "b"])
    }
  }

  @Test func clientCertificateIsShown() async throws {
    try await Scene.play(broker: options(.valid, .certified)) { scene in
      try scene.job("job", steps: ["env"])
      let certificates = try scene.broker.certificates
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["-u", scene.broker.tlsURL],
        environment: [
          "MQTT_CA_CERTS": certificates.authority.string,
          "MQTT_CERTFILE": certificates.client.certificate.string, "MQTT_KEYFILE": certificates.client.key.string,
        ])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(!scene.log("job").contains("MQTT_"))
    }
  }

  @Test(arguments: [(Certificates.Server.expired, "expired"), (.elsewhere, "host name")])
  func certificateThatIsNotGoodExitsWith78AndSaysWhy(_ server: Certificates.Server, _ word: String) async throws {
    try await Scene.play(broker: options(server, .anybody)) { scene in
      let authority = try scene.broker.certificates.authority.string
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["-u", scene.broker.tlsURL, "--ca-certs", authority])
      #expect(try await worker.end() == .code(78))
      #expect(worker.log.contains(word), "\(worker.log)")
    }
  }

  @Test func certificateOfAnUnknownCAExitsWith78() async throws {
    try await Scene.play(broker: options(.valid, .anybody)) { scene in
      let other = try scene.broker.certificates.otherAuthority.string
      for arguments in [["--ca-certs", other], []] {
        let worker = try scene.worker("worker-01", on: "jobs/pending", ["-u", scene.broker.tlsURL] + arguments)
        #expect(try await worker.end() == .code(78))
        #expect(worker.log.contains("issuer") || worker.log.contains("self-signed"), "\(worker.log)")
      }
    }
  }

  @Test func authorityThatIsNoFileExitsWith78AndNamesIt() async throws {
    try await Scene.play(broker: options(.valid, .anybody)) { scene in
      let missing = scene.files.appending("missing.pem").string
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["-u", scene.broker.tlsURL, "--ca-certs", missing])
      #expect(try await worker.end() == .code(78))
      #expect(worker.log.contains("missing.pem"), "\(worker.log)")
    }
  }
}
