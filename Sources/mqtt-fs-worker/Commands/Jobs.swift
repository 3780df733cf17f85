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

      On a terminal the table has its width, ages instead of times, and colours unless NO_COLOR is set.
      """)

  @Option(
    help: ArgumentHelp("Only jobs in this state; may be repeated.", valueName: "state"))
  var state: [JobState] = []

  @Option(
    help: ArgumentHelp("Only jobs that ended so; may be repeated.", valueName: "status"))
  var status: [JobStatus] = []

  @Option(
    help: ArgumentHelp("List at most this many finished jobs. (default: 30 on a terminal, else all)", valueName: "n"))
  var last: Int?

  @Flag(help: "Print a JSON array.")
  var json = false

  @Flag(help: "Print counts, durations and ages of all jobs as metrics for Prometheus.")
  var metrics = false

  @OptionGroup var volume: VolumeOptions

  func validate() throws {
    if metrics, json || last != nil || !state.isEmpty || !status.isEmpty {
      throw ValidationError("--metrics counts all jobs: give it alone")
    }
    if let last, last < 0 { throw ValidationError("--last \(last) is negative: give a number of jobs") }
  }

  func run() async throws {
    let directory = try volume.directory(.current)
    var jobs = try await onThread { try JobListing(directory).jobs() }
    if metrics { return try Output.write(JobMetrics(jobs).text) }
    if !state.isEmpty { jobs.removeAll { !state.contains($0.state) } }
    if !status.isEmpty { jobs.removeAll { job in !status.contains { $0 == job.status } } }
    let screen = json ? nil : Screen()
    let sums = JobTotals(jobs)
    if let last = last ?? (screen == nil ? nil : Jobs.shownOnTerminal) {
      let finished = jobs.partition { $0.state == .finished }
      jobs = Array(jobs[..<finished] + jobs[finished...].prefix(last))
    }
    if json {
      try Output.write(json: jsonText(jobs))
    } else if let screen {
      try Output.write(list(jobs, on: screen) + sums.text(shown: jobs.count) + "\n")
    } else {
      try Output.write(table(jobs))
    }
  }

  private static let shownOnTerminal = 30

  /// The jobs for people: a line each, not longer than the terminal is wide.
  private func list(_ jobs: [JobSummary], on screen: Screen) -> String {
    guard !jobs.isEmpty else { return "" }
    let now = Timestamp.now
    let longest = max(20, screen.width / 3)
    let rows = jobs.map { job in
      [
        job.id.text.clipped(to: longest), job.stateText, job.tookText(at: now), job.ageText(at: now), job.workerId,
        job.undelivered?.sentence ?? job.progressText(at: now),
      ].map { ($0 ?? "").escaped }
    }
    let lines = TextTable([["JOB", "STATE", "TOOK", "WHEN", "WORKER", ""]] + rows).lines
    return zip([nil] + jobs.map { Optional($0) }, lines).map { job, line in
      let text = line.clipped(to: screen.width)
      guard let job, let found = text.firstRange(of: "  \(job.stateText)") else { return "\(text)\n" }
      let start = text.index(found.lowerBound, offsetBy: 2)
      let painted = screen.painted(job.stateText, Screen.Colour(job.status) ?? job.state.colour)
      return "\(text[..<start])\(painted)\(text[found.upperBound...])\n"
    }.joined()
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

extension JobState {
  fileprivate var colour: Screen.Colour? { self == .running ? .cyan : nil }
}

/// How many jobs there are, by state and by how they ended.
private struct JobTotals {
  private let count: Int
  private let parts: [String]

  init(_ jobs: [JobSummary]) {
    count = jobs.count
    let states = JobState.allCases.filter { $0 != .finished }.map { state in
      (state.rawValue, jobs.count { $0.state == state })
    }
    let ends = JobStatus.allCases.map { status in (status.rawValue, jobs.count { $0.status == status }) }
    parts = (states + ends).filter { $1 > 0 }.map { "\($1) \($0)" }
  }

  func text(shown: Int) -> String {
    let sums = parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))"
    return counted(count, "job") + sums + (shown < count ? "; \(shown) are shown, --last shows more" : "")
  }
}
