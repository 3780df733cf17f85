import ArgumentParser
import Client
import FoundationEssentials
import Glibc
import Jobs
import Signing
import SystemPackage

/// `mqtt-fs-worker sign <job folder>`: makes a signed request.
struct Sign: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a signed request for a job folder, and writes it on stdout.",
    discussion: """
      The request bears the digest of the folder, so that a worker which was started with --verify-key runs what lies \
      there now, or nothing. Publish it as it is:

        mosquitto_pub -V 5 -q 1 -t jobs/pending -m "$(mqtt-fs-worker sign --key sign.pem jobs/job_2026_01)"
      """)

  @Argument(
    help: ArgumentHelp(
      "The folder with the job's files; its name is the job's id. May be left out with --id and --step.",
      valueName: "job folder"), completion: .directory)
  var folder: String?

  @Option(
    help: ArgumentHelp(
      "The key to sign with: Ed25519 (PEM or JWK with its private part), or hs256: and a secret of 32 bytes or more.",
      valueName: "file"), completion: .file())
  var key: String

  @Option(help: ArgumentHelp("The key's name in a set of keys. (default: that of the JWK)", valueName: "name"))
  var kid: String?

  @Option(
    help: ArgumentHelp(
      "A worker, or a group of workers, that may run it; may be repeated. (default: any)", valueName: "name"))
  var aud: [String] = []

  @Option(
    help: ArgumentHelp("How long it may be begun. (default: 1h)", valueName: "duration"))
  var expires = Timespan(.seconds(3600))

  @Option(help: ArgumentHelp("The job's id. (default: the folder's name)", valueName: "id"))
  var id: String?

  @Option(
    help: ArgumentHelp("What tells it from other requests: it is run once. (default: a random one)", valueName: "key"))
  var requestId: String?

  @Option(
    help: ArgumentHelp("A command to run instead of the steps in job.json; may be repeated.", valueName: "command"))
  var step: [String] = []

  @Option(help: ArgumentHelp("A variable for all steps; may be repeated.", valueName: "name=value"))
  var env: [String] = []

  @Option(help: ArgumentHelp("Ends the job when it takes longer.", valueName: "duration"))
  var timeout: Timespan?

  func run() throws {
    let file = try KeyFile(FilePath(key))
    let signer = try file.read { (bytes) throws(InvalidKey) in try SigningKey(file: bytes, name: kid) }
    if file.isReadableByAll { complain("warning: everybody on this host can read the key \(key); chmod go-r \(key)") }
    let payload = try request().encoded()
    // Check it as a worker would.
    _ = try JobRequest(payload: payload, signedBy: "")
    let text = try signer.sign(payload)
    // In a file or a pipe a line end would become part of the message.
    try Output.write(isatty(STDOUT_FILENO) == 1 ? "\(text)\n" : text)
  }

  private func request() throws -> SignedRequest {
    let source = try folder.map { try JobSourceDigest(FilePath($0), hasSteps: !step.isEmpty) }
    guard let id = id ?? source?.id.text, source != nil || !step.isEmpty else {
      throw ValidationError("name the job's folder, or give --id and --step")
    }
    let now = Int64(Date().timeIntervalSince1970)
    var request = SignedRequest(
      id: id, iat: now, exp: now + max(1, expires.duration.components.seconds),
      jti: requestId ?? String(UInt64.random(in: 0 ... .max), radix: 36)
        + String(UInt64.random(in: 0 ... .max), radix: 36))
    request.source = source?.digest
    if !step.isEmpty { request.steps = step }
    if !aud.isEmpty { request.aud = aud }
    if !env.isEmpty { request.env = Dictionary(try env.map(variable)) { $1 } }
    request.timeout = timeout?.duration.jobText
    return request
  }

  private func variable(_ text: String) throws -> (String, String) {
    guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
      throw ValidationError("--env '\(text)': write it as NAME=value")
    }
    return (String(text[..<sign]), String(text[text.index(after: sign)...]))
  }
}

/// The payload of a signed request.
private struct SignedRequest: Encodable {
  var id: String
  var iat: Int64
  var exp: Int64
  var jti: String
  var source: String?
  var steps: [String]?
  var aud: [String]?
  var env: [String: String]?
  var timeout: String?

  func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }
}
