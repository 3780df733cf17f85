import ArgumentParser
import FoundationEssentials
import Jobs
import Signaling
import SystemPackage

/// `mqtt-fs-worker health`: asks the worker on this host for its health.
struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says whether this host's, or this container's, worker is well; exit status 1 if it is not.",
    discussion: """
      It asks the worker's own process, and needs no broker, no port, and nothing to write to. Well is a worker that \
      answers, that has a connection to the broker or a job, and that goes on: one that works needs the broker only when it \
      is done; one without a job does not take longer than a lease to look at the volume. Only a process of your own user, \
      or of root, is believed.

      Give it the worker's --id and --workspaces-dir, or the environment that the worker has.
      """)

  @Option(name: .shortAndLong, help: "The worker's id. (WORKER_ID; default: worker-01)")
  var id: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Where its steps run. (MQTT_WORKSPACES_DIR; default: ./workspaces)", valueName: "folder"),
    completion: .directory)
  var workspacesDir: String?

  @Option(
    help: ArgumentHelp(
      "How long to wait for the answer, or for a process that starts. (default: 3s)", valueName: "duration"))
  var wait: Timespan?

  @Flag(help: "Print what the worker says as JSON.")
  var json = false

  func run() throws {
    let environment = Environment.current
    let worker = try workerID(id, environment)
    let folder = workspacesFolder(workspacesDir, environment)
    guard let socket = try? HealthSocket(worker, workspaces: folder) else {
      throw Unwell("worker \(worker) has not run here: there is no folder \(folder); give its --workspaces-dir")
    }
    guard let report = socket.ask(within: wait?.duration ?? .seconds(3)) else {
      throw Unwell(
        "worker \(worker) does not answer: it does not run here, is frozen, or has other workspaces than \(folder)")
    }
    if json {
      try Output.write(json: String(decoding: try JSONEncoder().encode(report), as: UTF8.self) + "\n")
    } else {
      let connection = report.connected ? "" : ", no connection to the broker"
      let stall = report.stalledSeconds.map { ", stands still for \($0) s; the volume may hang" } ?? ""
      try Output.write("worker \(worker): \(report.status.state)\(connection)\(stall)\n")
    }
    guard report.isWell else { throw ExitStatus(rawValue: 1) }
  }
}

/// The worker is unhealthy.
struct Unwell: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
