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

  /// SSL_CERT_FILE names the system's trusted certificates (SSL_CTX_set_default_verify_paths(3)).
  private func trusting(_ scene: Scene) throws -> [String: String] {
    ["SSL_CERT_FILE": try scene.broker.certificates.authority.string]
  }

  @Test func systemAuthoritiesAreTrustedOnEveryConnection() async throws {
    try await Scene.play(broker: options(.valid, .anybody)) { scene in
      try scene.job("job", steps: ["while ! test -e $GO; do sleep 0.05; done"])
      let go = scene.files.appending("go").string
      let results = try await scene.results()
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["-u", scene.broker.tlsURL],
        environment: try trusting(scene).merging(["GO": go]) { $1 })
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.text("job", "results/step_0.log") != nil }
      for _ in 1...2 {
        let before: Int = scene.broker.logged(" as worker-01-control ")
        try await scene.broker.restart()
        try await eventually("control's return") { scene.broker.logged(" as worker-01-control ") > before }
      }
      try scene.write("", FilePath(go))
      #expect(try await worker.end() == .code(0))
      try await results.message { $0.json["id"] == "job" && $0.json["status"] == "success" }
    }
  }

  @Test func clientCertificateIsShownToABrokerThatTheSystemTrusts() async throws {
    try await Scene.play(broker: options(.valid, .certified)) { scene in
      try scene.job("job", steps: ["true"])
      let client = try scene.broker.certificates.client
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending",
        ["-u", scene.broker.tlsURL, "--certfile", client.certificate.string, "--keyfile", client.key.string],
        environment: try trusting(scene))
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
    }
  }

  /// At any timing: the broker closes such a connection as soon as it can.
  @Test func reasonsAreToldEachTime() async throws {
    try await Scene.play(broker: options(.valid, .certified)) { scene in
      let certificates = try scene.broker.certificates
      let (authority, client) = (certificates.authority.string, certificates.client)
      let stranger = scene.broker.folder.appending("other-ca")
      let arguments: [([String], String)] = [
        (["--ca-certs", certificates.otherAuthority.string], "the broker's certificate is not accepted"),
        (["--ca-certs", authority], "the broker asks for a client certificate"),
        (
          ["--ca-certs", authority, "--certfile", "\(stranger).pem", "--keyfile", "\(stranger).key"],
          "the broker does not accept the certificate \(stranger).pem"
        ),
        (
          ["--ca-certs", authority, "--certfile", client.certificate.string, "--keyfile", "\(stranger).key"],
          "does not belong to the certificate \(client.certificate)"
        ),
      ]
      for (arguments, words) in arguments {
        for _ in 1...4 {
          let worker = try scene.worker("worker-01", on: "jobs/pending", ["-u", scene.broker.tlsURL] + arguments)
          #expect(try await worker.end() == .code(78))
          #expect(worker.log.contains(words), "\(worker.log)")
        }
      }
    }
  }

  @Test func passphraseOfAKeyIsAskedOfNobody() async throws {
    try await Scene.play(broker: options(.valid, .certified)) { scene in
      let client = try scene.broker.certificates.client
      let locked = scene.files.appending("locked.key")
      let openssl = try ChildProcess(
        installed("openssl"),
        ["pkey", "-in", client.key.string, "-out", locked.string, "-aes256", "-passout", "pass:secret"],
        environment: [:], directory: scene.files, files: scene.files.appending("pkey"))
      #expect(try await openssl.end() == .code(0))
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending",
        ["-u", scene.broker.tlsURL, "--certfile", client.certificate.string, "--keyfile", locked.string],
        environment: try trusting(scene))
      #expect(try await worker.end() == .code(78))
      #expect(worker.log.contains("is encrypted, and there is no prompt for its passphrase"), "\(worker.log)")
    }
  }

  @Test func portWithoutTLSIsNamedAsOne() async throws {
    try await Scene.play { scene in
      let server = try ScriptedBroker { _ in .last([]) }
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["-u", "mqtts://127.0.0.1:\(server.port)", "--connect-timeout", "1s"])
      #expect(try await worker.end() == .code(69))
      #expect(worker.log.contains("closed the connection during the handshake"), "\(worker.log)")
    }
  }
}
