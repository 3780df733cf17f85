import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// The filter of a test's workers, all in one group.
let group = "$share/workers/jobs/pending"

/// Many workers, and many jobs that note their attempts.
extension Scene {
  /// Starts workers `<prefix>1`, `<prefix>2`, … in restart loops. Returns when each of them listens or has found work.
  func fleet(
    _ count: Int, _ prefix: String = "worker-", on topic: String = group, with arguments: [String] = ["--lease", "2s"]
  ) async throws -> [RestartLoop] {
    let loops = try (1...count).map { try restartLoop("\(prefix)\($0)", on: topic, arguments) }
    for loop in loops {
      try await eventually("the subscription of \(loop.id), or its first job") {
        !loop.ends.isEmpty
          || broker.log.split(separator: "\n").contains { $0.hasSuffix("Sending SUBACK to \(loop.id)") }
      }
    }
    return loops
  }

  /// Waits until a life of the loop listens. Earlier lives may find work on the volume and never subscribe.
  func listens(_ loop: RestartLoop) async throws {
    try await eventually("the subscription of \(loop.id)") {
      do {
        try await loop.current.listens()
        return true
      } catch is WaitedInVain {
        return false
      }
    }
  }

  /// Puts jobs `<prefix>1`, `<prefix>2`, … on the volume, and returns their ids. Each job notes its attempts in its
  /// folder.
  func jobs(_ count: Int, _ prefix: String = "job-", lasting seconds: Double = 0) throws -> [String] {
    let ids = (1...count).map { "\(prefix)\($0)" }
    for id in ids { try job(id, steps: [.string("\(note); sleep \(seconds)")]) }
    return ids
  }

  /// A job that runs until ``open(_:)`` is called.
  func heldJob(_ id: String) throws {
    let gate = files.appending("gate-\(id)")
    try job(id, steps: [.string("\(note); until [ -e \(gate) ]; do sleep 0.05; done")])
  }

  /// Ends a held job.
  func open(_ id: String) throws {
    try write("", files.appending("gate-\(id)"))
  }

  /// Sends a held job, and waits until a worker runs it.
  func hold(_ id: String, on topic: String = "jobs/pending") async throws {
    try heldJob(id)
    try await send(id, on: topic)
    try await starts(id)
  }

  /// Waits until the job's step runs.
  func starts(_ id: String, within limit: Duration = patience) async throws {
    try await eventually("the start of \(id)", within: limit) { !runs(id).isEmpty }
  }

  /// Sends all requests one after the other over one connection.
  @discardableResult
  func send(all ids: [String], on topic: String = "jobs/pending") async throws -> [ReasonCode] {
    try await broker.publish(ids.map { Message(topic, #"{"id":"\#($0)"}"#) })
  }

  /// The attempts of a job that began.
  func runs(_ id: String) -> [String] {
    text(id, "runs")?.split(separator: "\n").map(String.init) ?? []
  }

  /// Waits until all jobs have their result, and nothing is left on the volume or the local disk.
  func finish(_ ids: [String], within limit: Duration = .seconds(120)) async throws {
    try await eventually("the results of \(ids.count) jobs", within: limit) { missing(ids).isEmpty }
    try await settle()
  }

  /// Waits until no claim, deferred request or workspace is left.
  func settle(within limit: Duration = .seconds(30)) async throws {
    try await eventually(
      "no claim, deferred request and workspace (\(claims), \(deferred), \(workspacesLeft))", within: limit
    ) { claims.isEmpty && deferred.isEmpty && workspacesLeft.isEmpty }
  }

  /// The jobs without a result.
  func missing(_ ids: [String]) -> [String] {
    ids.filter { access(jobs.appending($0).appending("results/result.json").string, F_OK) != 0 }
  }

  /// Asserts that each job ran once and succeeded.
  func expectOneRun(of ids: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    for id in ids {
      #expect(runs(id) == ["1"], "\(id)", sourceLocation: sourceLocation)
      #expect(result(id)["status"] == "success", "\(id)", sourceLocation: sourceLocation)
    }
  }

  private var note: String { #"echo "$JOB_ATTEMPT" >> "$JOB_RESULTS_DIR/../runs""# }
}

/// A publisher that needs its messages to be received: it sends a message again after the reason code 0x10, no matching
/// subscribers.
extension Scene {
  /// Sends each message until a subscriber receives it, and returns how often messages had to be sent again.
  @discardableResult
  func insist(on ids: [String]) async throws -> Int {
    var open = ids
    var repetitions = -1
    try await eventually("subscribers for \(open)") {
      let codes = try await send(all: open)
      open = zip(open, codes).filter { $1 != .success }.map { $0.0 }
      repetitions += 1
      return open.isEmpty
    }
    return repetitions
  }
}
