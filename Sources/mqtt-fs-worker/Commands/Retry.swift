import ArgumentParser
import Client
import Jobs
import Settings
import SystemPackage
import Volume

/// `mqtt-fs-worker retry <id>`: runs a finished job again.
struct Retry: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a finished job again with the files that are on the volume, and follows it as 'submit' does.",
    discussion: """
      Its results are moved to results.previous/. Variables, steps and the timeout of the earlier request are not repeated: \
      give them again, or have them in job.json.

      Exit status: as that of 'submit'; 65 if the job has no result, 66 if there is no such job.
      """)

  @Argument(help: "The job.", completion: .jobs)
  var id: String

  @OptionGroup var changes: RequestChanges
  @OptionGroup var options: SendOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  func run() async throws {
    let console = Console("retry")
    let (directory, job) = try options.volume.job(id, for: "retry")
    let folder = try Retry.folder(of: job.id, in: directory)
    let check = JobCheck(copying: folder, as: job.id, running: changes.steps)
    let definition = try check.job(telling: console).definition
    let request = try options.sealed(
      OutgoingRequest(
        job.id, steps: changes.steps, environment: changes.environment(), timeout: options.timeout?.duration,
        claims: options.claims(of: folder)))
    let sending = Sending(options: options, broker: broker, log: log, place: .common(directory), console: console)
    try await sending.send(request, steps: definition.steps)
  }

  /// The folder of a finished job. Throws ``InvalidInput`` for any other job.
  static func folder(of id: JobID, in directory: JobsDirectory) throws -> FilePath {
    let job = try JobFolder.open(id, in: directory)
    guard try job.storedResult() != nil else {
      throw InvalidInput(
        id: id,
        description: "job \(id) has no result: it runs, waits, or was never sent; see 'mqtt-fs-worker status \(id)'")
    }
    return job.path
  }
}
