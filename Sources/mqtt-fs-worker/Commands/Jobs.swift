import ArgumentParser
import Client
import FoundationEssentials
import Jobs
import Settings
import SystemPackage
import Volume

/// `mqtt-fs-worker jobs`: lists the jobs on the volume.
struct Jobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the jobs on the volume: running, queued, awaiting approval, pending, and finished.",
    discussion: """
      Running: a worker has the job. Queued: a busy worker deferred its request for the next idle one. Awaiting-approval: \
      its request waits for 'approve'. Pending: it has a folder and no result; the broker has its request, or it was never \
      sent. Finished: it has a result; the latest jobs come first.
      """)

  @Option(
    help: ArgumentHelp("Only jobs in this state; may be repeated.", valueName: "state"),
    completion: .list(JobState.allCases.map(\.rawValue)), transform: Jobs.state)
  var state: [JobState] = []

  @Option(help: ArgumentHelp("List at most this many finished jobs.", valueName: "n"))
  var last: Int?

  @Flag(help: "Print a JSON array.")
  var json = false

  @OptionGroup var volume: VolumeOptions

  private static func state(_ text: String) throws -> JobState {
    guard let state = JobState(rawValue: text) else {
      throw ValidationError("give one of \(JobState.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return state
  }

  func validate() throws {
    if let last, last < 0 { throw ValidationError("--last \(last) is negative: give a number of jobs") }
  }

  func run() async throws {
    let directory = try volume.directory(.current)
    var jobs = try await onThread { try JobListing(directory).jobs() }
    if !state.isEmpty { jobs.removeAll { !state.contains($0.state) } }
    if let last {
      let finished = jobs.partition { $0.state == .finished }
      jobs = Array(jobs[..<finished] + jobs[finished...].prefix(last))
    }
    if json {
      try Output.write(json: jsonText(jobs))
    } else {
      try Output.write(table(jobs))
    }
  }

  private func table(_ jobs: [JobSummary]) -> String {
    guard !jobs.isEmpty else { return "" }
    // Add the column only if a result is undelivered.
    let tellsOfDelivery = jobs.contains { $0.undelivered != nil }
    let header =
      ["JOB", "STATE", "STATUS", "EXIT", "ATTEMPT", "STEP", "WORKER", "TOOK", "SINCE"]
      + (tellsOfDelivery ? ["DELIVERY"] : [])
    let rows = jobs.map { job in
      var cells: [String?] = [
        job.id.text, job.state.rawValue, job.status?.rawValue, job.exitCode.map(String.init),
        job.attempt.map(String.init), job.step.map(String.init), job.workerId,
        job.durationMs.map { durationText(milliseconds: $0) }, job.since ?? job.end,
      ]
      if tellsOfDelivery { cells.append(job.undelivered?.sentence) }
      // Escape text from the volume: it must not send control sequences to the terminal.
      return cells.map { ($0 ?? "").escaped }
    }
    return TextTable([header] + rows).text
  }
}
