import ArgumentParser
import Client
import Jobs
import Settings
import SystemPackage
import Volume

/// `mqtt-fs-worker logs <id>`: prints the output of a job's steps.
struct Logs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the output of a job's steps, byte for byte. Exit status 66 if there is no such job.")

  @Argument(help: "The job.", completion: .jobs)
  var id: String

  @Flag(name: .shortAndLong, help: "Continue until the job has ended; wait for its start.")
  var follow = false

  @Option(name: .shortAndLong, help: ArgumentHelp("Only this step, from 0.", valueName: "n"))
  var step: Int?

  @OptionGroup var volume: VolumeOptions

  func run() async throws {
    let (directory, job) = try volume.job(id, for: "logs")
    let (id, listing) = (job.id, JobListing(directory))
    var follower = LogFollower(id, in: directory)
    while true {
      // Ask before reading: if the job has ended, its logs are complete.
      let isOver = try !follow || listing.job(id).map { $0.state == .finished } ?? true
      while let piece = try step.map({ try follower.next(ofStep: $0) }) ?? follower.next() {
        try await Output.put(piece.bytes)
      }
      if isOver { return }
      try Output.checkReader()
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
