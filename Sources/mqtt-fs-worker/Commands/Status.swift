import ArgumentParser
import Client
import Jobs
import Settings
import Volume

/// `mqtt-fs-worker status <id>`: shows one job.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows a job: its worker, or its result step by step. Exit status 66 if there is no such job.")

  @Argument(help: "The job.", completion: .jobs)
  var id: String

  @Flag(help: "Print JSON: the job as in 'jobs --json', and all of result.json if there is a result.")
  var json = false

  @OptionGroup var volume: VolumeOptions

  func run() throws {
    let (directory, job) = try volume.job(id, for: "status")
    let records = JobRecords(directory)
    let result = job.state == .finished ? records.result(of: job.id) : nil
    let rejection = job.state == .pending ? records.lastRejection(of: job.id) : nil
    if json {
      try Output.write(json: jsonText(Report(job: job, result: result, rejection: rejection)))
    } else {
      try Output.write(text(job, result, rejection))
    }
  }

  private struct Report: Encodable {
    let job: JobSummary
    let result: JobResult?
    let rejection: Rejection?

    func encode(to encoder: any Encoder) throws {
      try job.encode(to: encoder)
      var container = encoder.container(keyedBy: Key.self)
      try container.encodeIfPresent(result, forKey: .result)
      try container.encodeIfPresent(rejection, forKey: .rejection)
    }

    enum Key: CodingKey { case result, rejection }
  }

  private func text(_ job: JobSummary, _ result: JobResult?, _ rejection: Rejection?) -> String {
    let isOnTerminal = Screen() != nil
    let dated = { (time: String?) -> String? in
      guard isOnTerminal, let time, let moment = Timestamp(time) else { return time }
      return "\(time) (\(agoText(moment)))"
    }
    let facts: [(String, String?)] = [
      ("job", job.id.text), ("state", job.state.rawValue), ("status", job.status?.rawValue),
      ("exit code", job.exitCode.map(String.init)), ("error", job.error),
      ("rejected", rejection.map { "by \($0.workerId) at \(dated($0.time) ?? $0.time): \($0.error)" }),
      ("delivery", job.undelivered?.sentence),
      ("worker", job.workerId),
      ("attempt", job.attempt.map(String.init)), ("step", job.step.map(String.init)), ("topic", job.filter),
      ("since", dated(job.since)), ("ended", dated(job.end)),
      (job.state == .running ? "for" : "took", job.tookText()),
      ("now", job.state == .running ? job.progressText() : nil), ("touched", dated(job.touched)),
      ("log", job.logBytes.map { bytesText(Int64($0)) }),
      ("canceled", job.canceledBy.map { "by \($0); the worker that takes it answers so" }),
      ("to do", job.state == .awaitingApproval ? "mqtt-fs-worker approve \(job.id)" : nil),
      ("artifacts", result.map { "\($0.artifacts.count)" }), ("used", result?.usage.map(usageText)),
      ("memory", result?.outOfMemory == true ? "ran out; the kernel ended a process" : nil),
    ]
    let warnings = ((result?.warnings ?? []) + (result?.logErrors ?? [])).map { ("warning", $0 as String?) }
    // Sentences keep their quotes.
    let sentences = (facts + warnings).map { name, value in (name, value.map { String($0.prefix(500)).onOneLine }) }
    let outputs = (result?.outputs ?? [:]).sorted { $0.key < $1.key }.map {
      ("output", "\($0.key)=\($0.value)".escaped(upTo: 500) as String?)
    }
    let lines = (sentences + outputs).compactMap { name, value in
      value.map { "\(name):".padded(to: 12) + $0 + "\n" }
    }
    return lines.joined() + steps(result?.steps ?? []) + artifacts(result?.artifacts ?? [])
  }

  private func steps(_ steps: [StepResult]) -> String {
    guard !steps.isEmpty else { return "" }
    let rows = steps.map { step in
      [
        "\(step.index)", step.status.rawValue + (step.tries.map { $0 > 1 ? " (try \($0))" : "" } ?? ""),
        step.exitCode.map(String.init) ?? "",
        durationText(milliseconds: step.durationMs), (step.name ?? step.command).escaped,
      ]
    }
    return "\n" + TextTable([["STEP", "STATUS", "EXIT", "TOOK", "NAME"]] + rows).text
  }

  private static let shownArtifacts = 20

  private func artifacts(_ artifacts: [Artifact]) -> String {
    guard !artifacts.isEmpty else { return "" }
    let rows = artifacts.prefix(Status.shownArtifacts).map { artifact in
      [
        "\(artifact.storedAs ?? artifact.path)".escaped(upTo: 200), bytesText(Int64(artifact.size)),
        artifact.change.rawValue,
      ]
    }
    let more = artifacts.count - rows.count
    return "\n" + TextTable([["ARTIFACT", "SIZE", "CHANGE"]] + rows).text
      + (more > 0 ? "and \(counted(more, "more artifact")), in results/result.json\n" : "")
  }
}
