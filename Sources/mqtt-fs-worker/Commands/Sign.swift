import ArgumentParser
import Client
import Glibc
import Jobs
import Settings
import Signing
import SystemPackage

/// `mqtt-fs-worker sign <job folder>`: makes a signed request.
struct Sign: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a signed request for a job folder, and writes it on stdout.",
    discussion: """
      The request contains the digest of the folder: a worker with --verify-key runs the present content of the folder, or \
      nothing. Publish the request unchanged:

        mosquitto_pub -V 5 -q 1 -t jobs/pending -m "$(mqtt-fs-worker sign --key sign.pem jobs/job_2026_01)"
      """)

  @Argument(
    help: ArgumentHelp(
      "The folder with the job's files; its name is the job's id. Optional with --id and --step.",
      valueName: "job folder"), completion: .directory)
  var folder: String?

  @Option(
    help: ArgumentHelp(
      "The key to sign with: Ed25519 (PEM or JWK with its private part), or hs256: and a secret of 32 bytes or more.",
      valueName: "file"), completion: .file())
  var key: String

  @OptionGroup var signing: SigningOptions

  @Option(help: ArgumentHelp("The job's id. (default: the folder's name)", valueName: "id"))
  var id: String?

  @Option(
    help: ArgumentHelp(
      "The idempotency key: a request with a known key is not run again. (default: a random one)", valueName: "key"))
  var requestId: String?

  @OptionGroup var changes: RequestChanges

  @Option(help: ArgumentHelp("End the job if it takes longer.", valueName: "duration"))
  var timeout: Timespan?

  func run() throws {
    let file = try KeyFile(FilePath(key))
    let signer = try signing.key(in: file)
    if file.isReadableByAll {
      complain("warning: all users of this host can read the key \(key); run chmod go-r \(key)")
    }
    let payload = try compactJSON(request())
    // Check it as a worker would.
    _ = try JobRequest(payload: payload, signedBy: "")
    let text = try signer.sign(payload)
    // In a file or a pipe a line end would become part of the message.
    try Output.write(isatty(STDOUT_FILENO) == 1 ? "\(text)\n" : text)
  }

  private func request() throws -> RequestPayload {
    let source = try folder.map { try JobSourceDigest(FilePath($0), hasSteps: !changes.step.isEmpty) }
    guard let id = id ?? source?.id.text, source != nil || !changes.step.isEmpty else {
      throw ValidationError("name the job's folder, or give --id and --step")
    }
    var request = RequestPayload(id: id, key: requestId)
    request.limit(to: signing.lifetime, audience: signing.aud)
    request.source = source?.digest
    request.steps = changes.step.isEmpty ? nil : changes.step.map(RequestPayload.Step.command)
    let environment = try changes.environment()
    request.env = environment.isEmpty ? nil : environment
    request.timeout = timeout?.duration.jobText
    return request
  }
}
