import Foundation
import Glibc
import Synchronization
public import SystemPackage
public import Testing

/// The surroundings of one end-to-end test: a volume, a folder for workspaces, a broker, and the processes that the
/// test starts.
///
/// After the test's closure, the scene asks all processes to leave. Then it asserts what must hold after every test: no
/// claim, deferred request, workspace or process is left. ``Leftovers`` names exceptions. With `KEEP_SCENES` in the
/// environment the folder stays, with all logs.
public final class Scene: Sendable {
  /// What a test leaves behind on purpose.
  public struct Leftovers: OptionSet, Sendable {
    /// The set's bits.
    public let rawValue: Int

    /// A set of bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Claims on the volume.
    public static let claims = Leftovers(rawValue: 1)
    /// Deferred and parked requests.
    public static let deferred = Leftovers(rawValue: 2)
    /// Workspaces on the local disk.
    public static let workspaces = Leftovers(rawValue: 4)
    /// Undelivered results.
    public static let undelivered = Leftovers(rawValue: 8)
  }

  /// Whether the broker runs when the test begins.
  public enum BrokerState: Sendable {
    /// The broker runs.
    case running
    /// The broker has its port and its folder; only the test starts it.
    case down
  }

  /// The folder of the scene.
  public let root: FilePath
  /// The broker.
  public let broker: Broker
  let marker: String
  private let stage = Mutex(Stage())

  private struct Stage {
    var workers: [WorkerProcess] = []
    var loops: [RestartLoop] = []
    var started = 0
  }

  /// Runs `body` in a new scene, and checks that nothing is left.
  ///
  /// Throws an error of `body` with the ends of the logs; records leftovers as issues at `sourceLocation`.
  public static func play(
    broker options: Broker.Options = Broker.Options(), _ state: BrokerState = .running, leaving: Leftovers = [],
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (Scene) async throws -> Void
  ) async throws {
    await Seats.all.take()
    defer { Seats.all.leave() }
    let scene = try Scene(options)
    do {
      if state == .running { try await scene.broker.start() }
      try await body(scene)
    } catch {
      let logs = scene.logs
      await scene.clear()
      throw SceneFailure(cause: error, logs: logs)
    }
    let leftovers = await scene.leave(leaving)
    let logs = scene.logs
    await scene.clear()
    for leftover in leftovers {
      Issue.record("\(leftover)\n\(logs)", sourceLocation: sourceLocation)
    }
  }

  private init(_ options: Broker.Options) throws {
    let name = "scene-\(UUID().uuidString.prefix(8))"
    root = FilePath(FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path).appending(name)
    marker = root.string
    broker = try Broker(options, in: root.appending("broker"), marker: ["SCENE": root.string])
    for folder in [jobs, workspaces, files] {
      try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    }
  }

  /// The shared volume.
  public var jobs: FilePath { root.appending("jobs") }
  /// Where workers put workspaces.
  public var workspaces: FilePath { root.appending("workspaces") }
  /// A folder for other files of a test, and for the output of processes.
  public var files: FilePath { root.appending("files") }

  // MARK: Processes

  /// The environment of processes: what a program needs to start, and the scene's marker.
  public var environment: [String: String] {
    let own = ProcessInfo.processInfo.environment
    var environment = ["PATH": own["PATH"] ?? "/usr/bin:/bin", "SCENE": marker]
    environment["LD_LIBRARY_PATH"] = own["LD_LIBRARY_PATH"]
    return environment
  }

  /// Starts a worker. `stopAt` names the ``TestStopPoint`` at which it stops itself (debug builds).
  @discardableResult
  public func worker(
    _ id: String = "worker-01", on topic: String = "jobs/pending", _ arguments: [String] = [],
    environment extra: [String: String] = [:], stopAt checkpoint: String? = nil
  ) throws -> WorkerProcess {
    var environment = environment.merging(broker.workerEnvironment) { $1 }.merging(extra) { $1 }
    environment["MQTT_FS_WORKER_STOP_AT"] = checkpoint
    let before = broker.logSize
    let process = try start(
      WorkerProcess.executable,
      ["-i", id, "-t", topic, "-j", jobs.string, "-w", workspaces.string] + arguments,
      environment: environment, name: id)
    let worker = WorkerProcess(process, id: id, broker: broker, startOfLog: before)
    stage.withLock { $0.workers.append(worker) }
    return worker
  }

  /// Starts a worker in a restart loop.
  public func restartLoop(
    _ id: String = "worker-01", on topic: String = "jobs/pending", _ arguments: [String] = [],
    environment extra: [String: String] = [:]
  ) throws -> RestartLoop {
    let loop = try RestartLoop(id) { try self.worker(id, on: topic, arguments, environment: extra) }
    stage.withLock { $0.loops.append(loop) }
    return loop
  }

  /// Runs the worker's executable to its end, with exactly these arguments.
  public func run(
    _ arguments: [String], environment extra: [String: String] = [:], in directory: FilePath? = nil,
    within limit: Duration = patience
  ) async throws -> (end: ProcessEnd, output: String, errors: String) {
    let process = try start(
      WorkerProcess.executable, arguments, environment: environment.merging(extra) { $1 }, in: directory, name: "run")
    let worker = WorkerProcess(process, id: "run", broker: broker, startOfLog: 0)
    stage.withLock { $0.workers.append(worker) }
    return (try await process.end(within: limit), process.output, process.errors)
  }

  /// Starts any program in the scene.
  public func start(
    _ program: FilePath, _ arguments: [String], environment: [String: String]? = nil, in directory: FilePath? = nil,
    name: String
  ) throws -> ChildProcess {
    let number = stage.withLock { stage in
      stage.started += 1
      return stage.started
    }
    return try ChildProcess(
      program, arguments, environment: environment ?? self.environment, directory: directory ?? root,
      files: files.appending("\(name).\(number)"))
  }

  /// All processes of this scene except the broker.
  public var processes: [ProcessEntry] {
    ProcessEntry.marked(marker).filter { !$0.command.contains("mosquitto.conf") }
  }

  // MARK: The end

  /// Asks all workers to leave, and waits for their end.
  func everybodyLeaves() async throws {
    for loop in stage.withLock({ $0.loops }) { loop.finish() }
    for worker in stage.withLock({ $0.workers }) where worker.process.end == nil {
      worker.send(SIGTERM)
      try await worker.end()
    }
  }

  /// Asks all processes to leave, and returns those that did not.
  private func leave(_ allowed: Leftovers) async -> [String] {
    var leftovers: [String] = []
    for loop in stage.withLock({ $0.loops }) {
      loop.finish()
      if let failure = loop.failure { leftovers.append("the restart loop of \(loop.id) broke: \(failure)") }
    }
    // Only now, since a loop may have begun one more life.
    let workers = stage.withLock { $0.workers }
    for worker in workers where worker.process.end == nil {
      if ProcessEntry.state(of: worker.pid) == "T" {
        leftovers.append("worker \(worker.id) was left stopped")
        worker.send(SIGKILL)
      }
      worker.send(SIGTERM)
    }
    for worker in workers {
      do { try await worker.end() } catch {
        leftovers.append("worker \(worker.id) does not leave on SIGTERM: \(error)")
      }
    }
    do {
      try await eventually("the end of all processes", within: .seconds(30)) { processes.isEmpty }
    } catch {
      leftovers.append("processes are left: \(processes)")
    }
    if !allowed.contains(.claims), !claims.isEmpty { leftovers.append("claims are left: \(claims)") }
    let put = deferred + parked
    if !allowed.contains(.deferred), !put.isEmpty { leftovers.append("deferred requests are left: \(put)") }
    if !allowed.contains(.undelivered), !undelivered.isEmpty {
      leftovers.append("undelivered results are left: \(undelivered)")
    }
    if !allowed.contains(.workspaces), !workspacesLeft.isEmpty {
      leftovers.append("workspaces are left: \(workspacesLeft)")
    }
    return leftovers
  }

  /// Ends all processes by their ids, and removes the folder.
  private func clear() async {
    for loop in stage.withLock({ $0.loops }) { loop.finish() }
    for worker in stage.withLock({ $0.workers }) { worker.send(SIGKILL) }
    try? await broker.kill()
    try? await eventually("the end of all processes") { () -> Bool in
      let left = ProcessEntry.marked(marker)
      for process in left { Glibc.kill(process.pid, SIGKILL) }
      return left.isEmpty
    }
    guard ProcessInfo.processInfo.environment["KEEP_SCENES"] == nil else { return }
    try? FileManager.default.removeItem(atPath: root.string)
  }

  private var logs: String {
    let workers = stage.withLock { $0.workers }
    let logs = workers.suffix(6).map {
      "--- \($0.id) (\($0.pid)): \($0.process.end.map { "\($0)" } ?? "runs")\n\($0.log.suffix(3000))"
    }
    return logs.joined(separator: "\n") + "\n--- broker\n\(broker.log.suffix(1500))"
  }
}

/// A test's error, with the output of its processes.
struct SceneFailure: Error, CustomStringConvertible {
  let cause: any Error
  let logs: String

  var description: String { "\(cause)\n\(logs)" }
}
