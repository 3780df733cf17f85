import ArgumentParser
import Client
import FileTree
import Jobs
import MQTT
import Settings
import Steps
import Volume

/// `mqtt-fs-worker prune`: removes finished jobs from the volume.
struct Prune: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Removes finished jobs from the volume: the whole folder of each, with its sources and results.",
    discussion: """
      A job goes if its result is older than --older-than by the volume's clock, and if no worker has it, no request for it \
      waits on the volume, and its result is delivered. It is safe beside running workers and beside another prune; a worker \
      that gets a request for a removed job answers job-not-found. A folder that is a link, or to which one leads, stays.

      The command also puts an end to what a killed prune began, rotates audit logs of more than 10 MiB or without a line for \
      --older-than (and for a week at least), and removes rotated logs that old and the clock files of workers that are gone. \
      Files of members stay: the broker may still have requests for them, which another worker takes over.

      It prints a line for each job and file, then the sum. On a terminal it asks first; without a terminal it needs --yes or \
      --dry-run. Exit status: 1 if the answer is no, 74 if something could not be removed.
      """)

  @Option(
    help: ArgumentHelp("Only jobs whose result is older than this. (default: 7d)", valueName: "duration"))
  var olderThan: ResultAge?

  @Option(help: ArgumentHelp("Keep this many of the newest finished jobs, of those with a --status.", valueName: "n"))
  var keepLast = 0

  @Option(
    help: ArgumentHelp(
      "Only jobs that ended so, separated by commas: \(JobStatus.allCases.map(\.rawValue).joined(separator: ", ")). (default: all)",
      valueName: "status"),
    completion: .list(JobStatus.allCases.map(\.rawValue)), transform: Prune.statuses)
  var status = Set(JobStatus.allCases)

  @Flag(help: "Remove only results.previous/ of these jobs.")
  var previousOnly = false

  @Flag(help: "Print what would be removed, and change nothing.")
  var dryRun = false

  @Flag(
    help:
      "Also clear the retained result message of each removed job. Needs the broker, and the right to publish results.")
  var clearRetained = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  @OptionGroup var volume: VolumeOptions
  @OptionGroup var topics: TopicOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  private static func statuses(_ text: String) throws -> Set<JobStatus> {
    Set(
      try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
        guard let status = JobStatus(rawValue: String(word)) else {
          throw ValidationError(
            "'\(word)' is no status: give some of \(JobStatus.allCases.map(\.rawValue).joined(separator: ","))")
        }
        return status
      })
  }

  func validate() throws {
    if keepLast < 0 { throw ValidationError("--keep-last \(keepLast) is negative: give a number of jobs") }
    if clearRetained, previousOnly {
      throw ValidationError("--clear-retained is for jobs that go, and --previous-only removes none: give one of them")
    }
  }

  func run() async throws {
    let environment = Environment.current
    let console = Console("prune")
    let directory = try volume.directory(environment)
    let logger = try log.logger(environment)
    guard dryRun || yes || console.canAsk else {
      throw ValidationError("there is no terminal to ask on: give --yes to remove, or --dry-run to see what would go")
    }
    let run = PruneRun(try Pruning(order, from: directory), dryRun ? .shown : .done, console)
    if !dryRun { run.putBack() }
    let jobs = try run.pruning.jobs()
    guard await isConfirmed(jobs, directory, console) else { throw ExitStatus.declined }
    if clearRetained, !dryRun, !jobs.isEmpty {
      let topics = try topics.topics(environment)
      try await broker.withClient("prune", environment, logger: logger) { client in
        try await run.remove(jobs) { id in
          let message = Message(topic: topics.result(of: id), payload: [], retention: .retained)
          // The right to remove the job ends with a lease.
          let sent: Void? = try await wait(for: { try await client.publish(message) }) {
            try await Task.sleep(for: .seconds(5))
          }
          guard sent != nil else {
            console.say("the broker has not answered for 5 s: job \(id) and those after it stay")
            throw ExitStatus.unpublished
          }
        }
      }
    } else {
      try await run.remove(jobs) { _ in }
    }
    try run.end()
  }

  private var order: PruningOrder {
    var order = PruningOrder()
    if let olderThan { order.age = olderThan.duration }
    (order.kept, order.statuses, order.extent) = (keepLast, status, previousOnly ? .previousResults : .job)
    return order
  }

  private func isConfirmed(_ jobs: [FinishedJob], _ directory: JobsDirectory, _ console: Console) async -> Bool {
    guard !dryRun, !yes, !jobs.isEmpty else { return true }
    let what = previousOnly ? "the previous results of \(counted(jobs.count, "job"))" : counted(jobs.count, "job")
    return await console.confirms("remove \(what) from \(directory.path)? [y/N]")
  }
}

/// A duration as an option that may be 0.
struct ResultAge: ExpressibleByArgument {
  let duration: Duration

  init?(argument: String) {
    guard let duration = ["0", "0s"].contains(argument) ? .zero : Timespan(argument: argument)?.duration else {
      return nil
    }
    self.duration = duration
  }
}
