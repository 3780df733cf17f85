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

  @Flag(help: "If the job is finished, cancel the next request to run it again: the broker may have one.")
  var next = false

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
        wait ? .untilEnd : .none, aim: next ? .next : .current)
    }
    console.say(outcome.sentence(about: id))
    switch outcome {
    case .notRunning(let job):
      switch job?.state {
      case .awaitingApproval: console.say("to withdraw it, run 'mqtt-fs-worker approve \(id) --reject'")
      case .finished: console.say("if the broker has a request to run it again, --next cancels that")
      default: break
      }
      throw ExitStatus.noSuchJob
    case .notReceived: throw ExitStatus.tryAgain
    case .ended(let result) where json:
      try await Output.put(json: String(decoding: try result.encoded(), as: UTF8.self))
    case .marked, .asked, .ended: break
    }
  }
}
