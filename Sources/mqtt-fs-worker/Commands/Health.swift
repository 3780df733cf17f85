import ArgumentParser
import Jobs
import Settings
import Signaling
import SystemPackage

/// `mqtt-fs-worker health`: asks the worker on this host for its health.
struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks whether the worker on this host, or in this container, is healthy; exit status 1 if not.",
    discussion: """
      It asks the worker's own process, and needs no broker, no port, and no writable folder. A worker is healthy if it \
      answers, has a connection to the broker or a job, and makes progress: with a job it needs the broker only at the end; \
      without a job it reads the volume at least once a lease. The command trusts only a process of your own user or of root.

      Give it the worker's --id and --workspaces-dir, or the worker's environment.
      """)

  @Option(name: .shortAndLong, help: "The worker's id. (WORKER_ID; default: worker-01)")
  var id: String?

  @OptionGroup var workspaces: WorkspacesOptions

  @Option(
    help: ArgumentHelp(
      "How long to wait for the answer, or for a worker that is starting. (default: 3s)", valueName: "duration"))
  var wait: Timespan?

  @Flag(help: "Print the worker's answer as JSON.")
  var json = false

  func run() throws {
    let environment = Environment.current
    let worker = try workerID(id, environment)
    let folder = workspaces.folder(environment)
    guard let socket = try? HealthSocket(worker, workspaces: folder) else {
      throw Unhealthy("worker \(worker) has not run here: there is no folder \(folder); give its --workspaces-dir")
    }
    guard let report = socket.ask(within: wait?.duration ?? .seconds(3)) else {
      throw Unhealthy(
        "worker \(worker) does not answer: it does not run here, hangs, or has another workspaces folder than \(folder); give its --workspaces-dir"
      )
    }
    if json {
      try Output.write(json: String(decoding: try compactJSON(report), as: UTF8.self) + "\n")
    } else {
      let connection = report.connected ? "" : ", no connection to the broker"
      let stall = report.stalledSeconds.map { ", no progress for \($0) s; the volume may hang" } ?? ""
      try Output.write("worker \(worker): \(report.status.state)\(connection)\(stall)\n")
    }
    guard report.isWell else { throw ExitStatus(rawValue: 1) }
  }
}

/// The worker is unhealthy.
struct Unhealthy: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
