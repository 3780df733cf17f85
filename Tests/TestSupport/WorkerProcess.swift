import Foundation
public import Glibc
public import SystemPackage

/// One life of the built mqtt-fs-worker with its own environment.
public final class WorkerProcess: Sendable {
  /// The process.
  public let process: ChildProcess
  /// Its worker id.
  public let id: String
  private let broker: Broker
  private let startOfLog: Int

  /// A worker that runs as `process`, however it was started. The broker's log before `startOfLog` belongs to earlier
  /// lives.
  public init(_ process: ChildProcess, id: String, broker: Broker, startOfLog: Int) {
    self.process = process
    self.id = id
    self.broker = broker
    self.startOfLog = startOfLog
  }

  /// The worker's executable, beside the running test bundle.
  public static var executable: FilePath {
    get throws {
      let bundle = FilePath(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      let file = bundle.removingLastComponent().appending("mqtt-fs-worker")
      guard access(file.string, X_OK) == 0 else { throw WaitedInVain("\(file) is not built; run swift build") }
      return file
    }
  }

  /// Its process id.
  public var pid: pid_t { process.pid }

  /// Sends a signal.
  public func send(_ signal: Int32) { process.send(signal) }

  /// Kills it (SIGKILL), even if it is stopped, and waits for its end.
  public func kill() async throws {
    process.send(SIGKILL)
    try await process.end()
  }

  /// Stops it (SIGSTOP).
  public func freeze() async throws {
    process.send(SIGSTOP)
    try await process.stopped()
  }

  /// Continues it (SIGCONT) after ``freeze()`` or a checkpoint.
  public func thaw() { process.send(SIGCONT) }

  /// Waits until it has stopped itself at the checkpoint named at its start.
  public func reachesCheckpoint(within limit: Duration = patience) async throws {
    try await process.stopped(within: limit)
  }

  /// Waits until the broker has accepted its subscription.
  public func listens(within limit: Duration = patience) async throws {
    do {
      try await eventually("the subscription of \(id)", within: limit) {
        if let end = process.end { throw WaitedInVain("\(id) ended with \(end) before it subscribed") }
        return broker.logged("Sending SUBACK to \(id)\n", from: startOfLog) > 0
      }
    } catch let error as WaitedInVain {
      throw WaitedInVain("\(error); it wrote:\n\(log.suffix(4000))")
    }
  }

  /// Waits for its end.
  @discardableResult
  public func end(within limit: Duration = patience) async throws -> ProcessEnd {
    try await process.end(within: limit)
  }

  /// Waits until its log contains `text`.
  public func says(_ text: String, within limit: Duration = patience) async throws {
    do {
      try await eventually("'\(text)' in the log of \(id)", within: limit) { log.contains(text) }
    } catch let error as WaitedInVain {
      throw WaitedInVain("\(error); it wrote:\n\(log.suffix(4000))")
    }
  }

  /// Its stderr.
  public var log: String { process.errors }

  /// Its stdout.
  public var output: String { process.output }

  /// The lines of the log.
  public var logLines: [JSON] {
    log.split(separator: "\n").compactMap { try? JSON(Data($0.utf8)) }
  }
}
