import ArgumentParser
import Client
import Jobs
import SystemPackage
import Volume

/// `mqtt-fs-worker logs <id>`: prints the output of a job's steps.
struct Logs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints what the steps of a job wrote, byte for byte. Exit status 66 if there is no such job.")

  @Argument(help: "The job.", completion: .jobs)
  var id: String

  @Flag(name: .shortAndLong, help: "Go on until the job has ended; wait for it to begin.")
  var follow = false

  @Option(name: .shortAndLong, help: ArgumentHelp("Only this step, from 0.", valueName: "n"))
  var step: Int?

  @OptionGroup var volume: VolumeOptions

  func run() async throws {
    let directory = try volume.directory(.current)
    let id = try JobID(id)
    let listing = JobListing(directory)
    guard try listing.job(id) != nil else {
      Console("logs").say("there is no job \(id) in \(directory.path)")
      throw ExitStatus.noSuchJob
    }
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
