import ArgumentParser
import Client
import Jobs
import MQTT
import Settings

/// `mqtt-fs-worker cancel <id>`: asks a job's worker to end it.
struct Cancel: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Asks the worker of a job to end it: TERM, the worker's grace, KILL. Changed files still come back.",
    discussion: """
      The command finds the worker on the volume, or asks the workers if there is no volume. A job that no worker has taken \
      yet is marked on the volume, and the worker that takes it answers it as canceled, without a step. Exit status: 66 if \
      there is no such job, or it is finished or waits for approval; 75 if its worker cannot be reached.
      """)

  @Argument(help: "The job.", completion: .jobs)
  var id: String

  @Flag(help: "Wait for the job's end.")
  var wait = false

  @Flag(help: "Print the result message when the job has ended. Needs --wait.")
  var json = false

  @OptionGroup var volume: VolumeOptions
  @OptionGroup var topics: TopicOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  func validate() throws {
    if json, !wait { throw ValidationError("--json prints the result of the job's end: give --wait, too") }
  }

  func run() async throws {
    let environment = Environment.current
    let console = Console("cancel")
    let id = try JobID(id)
    let directory = try volume.directoryIfAny(environment)
    let topics = try topics.topics(environment)
    let outcome = try await broker.withClient("cancel", environment, logger: log.logger(environment)) { client in
      try await CancelRequest(id, by: userAtHost(), over: client, topics: topics, volume: directory).send(
        wait ? .untilEnd : .none)
    }
    switch outcome {
    case .notRunning(let job):
      console.say("no worker has job \(id)\(job.map { "; it is \($0.state.rawValue)" } ?? "")")
      if job?.state == .awaitingApproval { console.say("to withdraw it, run 'mqtt-fs-worker approve \(id) --reject'") }
      throw ExitStatus.noSuchJob
    case .marked(let state):
      console.say("job \(id) is \(state.rawValue): the worker that takes it answers it as canceled, without a step")
    case .notReceived(let worker, let isMarked):
      let next = isMarked ? "answers the job as canceled" : "takes over the job"
      console.say(
        "worker \(worker) has job \(id) and did not receive the request: it may be dead; then the next worker \(next)")
      throw ExitStatus.tryAgain
    case .asked(let worker): console.say("asked worker \(worker) to end job \(id)")
    case .ended(let result):
      console.say("job \(id): \(result.status.rawValue)")
      if json { try await Output.put(json: String(decoding: try result.encoded(), as: UTF8.self)) }
    }
  }
}
