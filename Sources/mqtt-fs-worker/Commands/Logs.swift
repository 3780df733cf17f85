import ArgumentParser
import Client
import Jobs
import Settings
import SystemPackage
import Volume

/// `mqtt-fs-worker logs <id>`: prints the output of a job's steps.
struct Logs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the output of a job's steps, byte for byte. Exit status 66 if there is no such job or step.",
    discussion: "On a terminal a line with the number and the name of the step comes before its output.")

  @Argument(help: "The job.", completion: .jobs)
  var id: String

  @Flag(name: .shortAndLong, help: "Continue until the job has ended; wait for its start.")
  var follow = false

  @Option(name: .shortAndLong, help: ArgumentHelp("Only this step, from 0.", valueName: "n"))
  var step: Int?

  @OptionGroup var volume: VolumeOptions

  func validate() throws {
    if let step, step < 0 { throw ValidationError("--step \(step): steps are numbered from 0") }
  }

  func run() async throws {
    let (directory, job) = try volume.job(id, for: "logs")
    let (id, listing) = (job.id, JobListing(directory))
    // The next run may have more steps.
    if let step, !follow, let count = listing.titles(of: id)?.count, count > 0, step >= count {
      Console("logs").say(
        "job \(id) has \(count == 1 ? "only step 0" : "steps 0 to \(count - 1)"), and no step \(step)")
      throw ExitStatus.noSuchJob
    }
    var follower = LogFollower(id, in: directory)
    var headings = Headings(id, directory)
    var isVolumeAway = false
    while true {
      do {
        // Ask before reading: if the job has ended, its logs are complete.
        let isOver = try !follow || listing.job(id).map { $0.state == .finished } ?? true
        while let piece = try step.map({ try follower.next(ofStep: $0) }) ?? follower.next() {
          headings.announce(piece.step)
          try await Output.put(piece.bytes)
        }
        if isOver { return tellOfIncompleteLogs(of: id, directory) }
        isVolumeAway = false
      } catch {
        guard follow, error is VolumeError else { throw error }
        if !isVolumeAway { Console("logs").say("\(error); trying again") }
        isVolumeAway = true
      }
      try Output.checkReader()
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// A message, and not in the output itself.
  private func tellOfIncompleteLogs(of id: JobID, _ directory: JobsDirectory) {
    let steps = JobRecords(directory).result(of: id)?.steps ?? []
    for result in steps where step == nil || step == result.index {
      if let error = result.logError { Console("logs").say("warning: \(error)") }
    }
  }
}

/// The lines between the outputs of steps, for people: only on a terminal, and not in the output itself.
private struct Headings {
  private let titles: [String]?
  private let isWanted = Screen() != nil
  private let console = Console("logs")
  private var last: Int?

  init(_ id: JobID, _ directory: JobsDirectory) {
    titles = isWanted ? JobListing(directory).titles(of: id) : nil
  }

  mutating func announce(_ step: Int) {
    defer { last = step }
    guard isWanted, step != last else { return }
    let title = titles.flatMap { $0.indices.contains(step) ? $0[step] : nil }
    console.show("\(stepHeading(step, of: titles?.count, title)) (step_\(step).log)")
  }
}
