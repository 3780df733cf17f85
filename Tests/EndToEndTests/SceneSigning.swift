import Foundation
import SystemPackage
import TestSupport

@testable import Signing
@testable import Steps
@testable import Volume
@testable import Worker

/// A pair of key files, made as in docs/signing.md, which signs requests.
struct SceneKey {
  /// The private key, for `sign`.
  let signing: FilePath
  /// The public key, for `--verify-key`.
  let verifying: FilePath

  /// The worker's arguments.
  var arguments: [String] { ["--verify-key", verifying.string] }

  /// A signed request with these claims, a `jti`, and an `exp` in ten minutes.
  func request(_ id: String, _ claims: [String: JSON]) throws -> String {
    try sign(SceneKey.claims(id, claims))
  }

  /// A signed text.
  func sign(_ payload: String) throws -> String {
    let key = try SigningKey(file: Array(Data(contentsOf: URL(fileURLWithPath: signing.string))), name: nil)
    return try key.sign(Array(payload.utf8))
  }

  /// The payload of such a request.
  static func claims(_ id: String, _ more: [String: JSON]) -> String {
    let claims: [String: JSON] = ["id": .string(id), "jti": .string(UUID().uuidString), "exp": moment(600)]
    return JSON.object(claims.merging(more) { $1 }).text
  }

  /// The time so many seconds from now, as a claim.
  static func moment(_ seconds: Double) -> JSON { .number((Date().timeIntervalSince1970 + seconds).rounded()) }
}

extension Scene {
  /// Makes a pair of Ed25519 keys with openssl(1), outside of the volume.
  func key(_ name: String = "key") async throws -> SceneKey {
    let key = SceneKey(
      signing: files.appending("\(name)-sign.pem"), verifying: files.appending("\(name)-verify.pem"))
    let script = """
      umask 022
      openssl genpkey -algorithm ed25519 -out '\(key.signing)'
      openssl pkey -in '\(key.signing)' -pubout -out '\(key.verifying)'
      """
    try await shell(script)
    return key
  }

  /// Runs a script in the scene's folder for files, and returns its stdout.
  @discardableResult
  func shell(_ script: String) async throws -> String {
    let process = try start(installed("sh"), ["-euc", script], in: files, name: "shell")
    guard try await process.end() == .code(0) else { throw WaitedInVain("\(script): \(process.errors)") }
    return process.output
  }

  /// The request that `mqtt-fs-worker sign` makes from a job's folder.
  func sign(_ id: String, with key: SceneKey, _ arguments: [String] = []) async throws -> String {
    let run = try await run(["sign", "--key", key.signing.string, jobs.appending(id).string] + arguments)
    guard run.end == .code(0) else { throw WaitedInVain("sign: \(run.errors)") }
    return run.output
  }
}
