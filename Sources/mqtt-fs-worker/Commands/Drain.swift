import ArgumentParser
import Client
import Jobs
import MQTT
import Settings

/// `mqtt-fs-worker drain <worker|all>`: tells workers to leave after their jobs.
struct Drain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells a worker, or all, to leave: an idle one at once, a busy one when its job has ended.",
    discussion: """
      A worker that a supervisor starts again comes back: stop the supervisor, or have it stop the worker by QUIT, which \
      does the same. Exit status: 66 if there is no such worker, 75 if one did not answer.
      """)

  @Argument(help: ArgumentHelp("The worker's id, or 'all'.", valueName: "worker"))
  var worker: String

  @Option(help: ArgumentHelp("How long to wait for answers. (default: 2s)", valueName: "duration"))
  var wait: Timespan?

  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  func run() async throws {
    let environment = Environment.current
    let console = Console("drain")
    let id = worker == "all" ? nil : try workerID(worker, environment)
    let outcome = try await broker.withClient("drain", environment, logger: log.logger(environment)) { client in
      try await WorkerOrder(.drain, over: client, patience: wait?.duration ?? .seconds(2)).send(to: id)
    }
    for answer in outcome.answers.values.sorted(by: { $0.workerId < $1.workerId }) {
      let effect =
        switch answer.outcome {
        case .done: "leaves"
        case .later: "leaves when its job has ended"
        case .refused: "refuses: \(answer.error ?? "")"
        }
      try Output.write("\(answer.workerId.escaped) \(effect.onOneLine)\n")
    }
    for silent in outcome.silent { console.say("worker \(silent) did not answer") }
    guard outcome.silent.isEmpty else { throw ExitStatus.tryAgain }
    guard !outcome.answers.isEmpty else {
      console.say(id.map { "there is no worker \($0)" } ?? "there is no worker")
      throw ExitStatus.noSuchJob
    }
  }
}
