import ArgumentParser
import Client
import Jobs
import MQTT

/// `mqtt-fs-worker cancel <id>`: asks a job's worker to end it.
struct Cancel: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Asks the worker that has a job to end it: TERM, the worker's grace, KILL. What there is comes back.",
    discussion: """
      Who has the job is read from the volume, or asked of the workers if there is none. A request that no worker has taken \
      yet is not canceled. Exit status: 66 if no worker has the job, 75 if its worker cannot be reached.
      """)

  @Argument(help: "The job.", completion: .jobs)
  var id: String

  @Flag(help: "Wait for the job's end.")
  var wait = false

  @Flag(help: "Print the result message, once it has ended. Goes with --wait.")
  var json = false

  @OptionGroup var volume: VolumeOptions
  @OptionGroup var topics: TopicOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  func validate() throws {
    if json, !wait { throw ValidationError("--json prints the result, which only --wait waits for") }
  }

  func run() async throws {
    let environment = Environment.current
    let console = Console("cancel")
    let id = try JobID(id)
    let directory = try volume.directoryIfAny(environment)
    let topics = try topics.topics(environment)
    let outcome = try await broker.withClient("cancel", environment, logger: log.logger(environment)) { client in
      try await CancelRequest(id, over: client, topics: topics, volume: directory).send(wait ? .untilItsEnd : .none)
    }
    switch outcome {
    case .notRunning(let job):
      console.say("no worker has job \(id)\(job.map { "; it is \($0.state.rawValue)" } ?? "")")
      if job?.state == .awaitingApproval { console.say("'mqtt-fs-worker approve \(id) --reject' has it not run") }
      throw ExitStatus.noSuchJob
    case .unheard(let worker):
      console.say("worker \(worker) has job \(id), and does not listen: is it gone? The next worker takes the job over")
      throw ExitStatus.tryAgain
    case .asked(let worker): console.say("asked worker \(worker) to end job \(id)")
    case .ended(let result):
      console.say("job \(id): \(result.status.rawValue)")
      if json { try await Output.put(json: String(decoding: try result.encoded(), as: UTF8.self)) }
    }
  }
}
