import Foundation
import SystemPackage
import TestSupport

/// With this lease a worker looks at the volume three times a second.
let approvalLease = ["--lease", "1s"]

/// A job.json that asks for approval.
func approved(_ step: String) -> JSON { ["steps": [.string(step)], "requireApproval": true] }

extension Scene {
  /// Runs `approve` with the scene's volume, to its end.
  func approve(_ arguments: String...) async throws -> (end: ProcessEnd, output: String, errors: String) {
    try await run(["approve", "-j", jobs.string] + arguments)
  }

  /// Lets a worker park a request for `job` and leave; returns the request's digest.
  @discardableResult
  func parkAndLeave(steps step: String? = nil) async throws -> String { try await parkAndLeave(step) }

  @discardableResult
  func parkAndLeave(_ step: String?) async throws -> String {
    let events = try await events()
    let worker = try worker(approvalLease + ["--require-approval"])
    try await worker.listens()
    try await send("job", step.map { ["steps": [.string($0)]] } ?? [:])
    let event = try await events.message { $0.json["event"] == "awaiting-approval" }
    try await broker.session(of: "worker-01") { $0?.queued == 0 }
    worker.send(SIGTERM)
    try await worker.end()
    return event.json["requestDigest"].string ?? ""
  }

  /// Exchanges the steps of the one request in this folder, like an attacker with write access to the volume.
  func tamper(_ folder: String) throws {
    let file = folder == "parked" ? parked[0] : deferred[0]
    let path = jobs.appending(".worker").appending(folder).pushing(FilePath(file))
    let text = try String(contentsOfFile: path.string, encoding: .utf8)
    try write(
      text.replacingOccurrences(of: "before", with: "after").replacingOccurrences(of: "run", with: "other"), path)
  }
}
