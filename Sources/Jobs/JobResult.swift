import FoundationEssentials

/// What became of a job: the content of its result.json.
package struct JobResult: Codable, Sendable, Equatable {
  /// The form of result.json that this type reads and writes.
  package static let currentSchema = 1

  /// The form of the file; see ``currentSchema``.
  package let schema: Int
  /// The job.
  package var jobId: JobID
  /// How it ended.
  package var status: JobStatus
  /// The exit code of the step that decided the job; `null` when no step did.
  package var exitCode: Int?
  /// When, and how long.
  package var timing: JobTiming
  /// Its steps in order, with those that were skipped.
  package var steps: [StepResult]
  /// What went wrong, as a sentence.
  package var error: String?
  /// Which attempt this is, from 1.
  package var attempt: Int
  /// The worker that wrote this.
  package var workerId: String
  /// Its version.
  package var workerVersion: String
  /// The host that it ran on.
  package var host: String
  /// The request's idempotency key.
  package var requestId: String?
  /// Why the job ended as it did, as one word that programs can test (`shutdown`, `job-not-found`).
  package var reason: String?
  /// The part of the work in which an `error` arose (`stage`, `run`, `sync`).
  package var phase: String?
  /// What the job made or changed.
  package var artifacts: [Artifact]
  /// What the job removed.
  package var deleted: [WorkspacePath]
  /// What could not be brought along.
  package var skipped: [SkippedPath]

  /// A result of the given parts.
  package init(
    jobId: JobID, status: JobStatus, exitCode: Int?, timing: JobTiming, steps: [StepResult], error: String? = nil,
    attempt: Int, workerId: String, workerVersion: String, host: String, requestId: String? = nil,
    reason: String? = nil, phase: String? = nil, artifacts: [Artifact] = [], deleted: [WorkspacePath] = [],
    skipped: [SkippedPath] = []
  ) {
    self.schema = JobResult.currentSchema
    self.jobId = jobId
    self.status = status
    self.exitCode = exitCode
    self.timing = timing
    self.steps = steps
    self.error = error
    self.attempt = attempt
    self.workerId = workerId
    self.workerVersion = workerVersion
    self.host = host
    self.requestId = requestId
    self.reason = reason
    self.phase = phase
    self.artifacts = artifacts
    self.deleted = deleted
    self.skipped = skipped
  }
}

// The file.
extension JobResult {
  /// The file's content: indented, keys sorted, with a newline at the end.
  package func encoded() throws -> [UInt8] {
    try indentedJSON(self)
  }

  /// Reads a file's content. Throws when it is not a result.json, or one of another ``schema``.
  package init(json: [UInt8]) throws(InvalidInput) {
    let result: JobResult
    do {
      result = try JSONDecoder().decode(JobResult.self, from: Data(json))
    } catch {
      throw InvalidInput(description: "result.json \(fault(error, in: json))")
    }
    guard result.schema == JobResult.currentSchema else {
      throw InvalidInput(
        id: result.jobId,
        description: "result.json is of schema \(result.schema); this version reads schema \(JobResult.currentSchema)")
    }
    self = result
  }
}

/// What is wrong with a text that could not be decoded: where it stops being JSON, or the key that is amiss.
private func fault(_ error: any Error, in json: [UInt8]) -> String {
  do {
    _ = try JSONText(json)
  } catch {
    return "\(error.predicate) (\(JSONPosition(of: error.offset, in: json)))"
  }
  let context: DecodingError.Context
  switch error {
  case let refusal as InvalidInput:
    return "has a wrong \"jobId\": \(refusal)"
  case DecodingError.keyNotFound(let key, let context):
    return "has no \((context.codingPath + [key]).written)"
  case DecodingError.typeMismatch(_, let found), DecodingError.valueNotFound(_, let found),
    DecodingError.dataCorrupted(let found):
    context = found
  default:
    return "cannot be read: \(error)"
  }
  return "has a wrong \(context.codingPath.written): \(context.debugDescription)"
}

extension [any CodingKey] {
  /// The path as a person writes it: `"steps[2].log"`.
  fileprivate var written: String {
    var path = ""
    for key in self {
      if let index = key.intValue {
        path += "[\(index)]"
      } else {
        path += (path.isEmpty ? "" : ".") + key.stringValue
      }
    }
    return path.quoted
  }
}

extension JobResult {
  /// Writes an object; `exitCode` is there even when `null`, and the lists even when empty.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(schema, forKey: .schema)
    try container.encode(jobId, forKey: .jobId)
    try container.encode(status, forKey: .status)
    try container.encode(exitCode, forKey: .exitCode)
    try container.encode(timing, forKey: .timing)
    try container.encode(steps, forKey: .steps)
    try container.encodeIfPresent(error, forKey: .error)
    try container.encode(attempt, forKey: .attempt)
    try container.encode(workerId, forKey: .workerId)
    try container.encode(workerVersion, forKey: .workerVersion)
    try container.encode(host, forKey: .host)
    try container.encodeIfPresent(requestId, forKey: .requestId)
    try container.encodeIfPresent(reason, forKey: .reason)
    try container.encodeIfPresent(phase, forKey: .phase)
    try container.encode(artifacts, forKey: .artifacts)
    try container.encode(deleted, forKey: .deleted)
    try container.encode(skipped, forKey: .skipped)
  }
}

/// How a job ended.
package enum JobStatus: String, Codable, Sendable, CaseIterable {
  /// Every step that counts succeeded.
  case success
  /// A step failed.
  case failed
  /// The job, or the step that ended it, took longer than it may.
  case timeout
  /// Somebody asked for its end, or its worker was told to stop.
  case canceled
  /// Staging, spawning or syncing failed: the worker's fault or its machine's, not the job's.
  case error
  /// Its worker died, and no attempt was left.
  case lost
  /// It was never started.
  case rejected
}

/// How a step ended.
package enum StepStatus: String, Codable, Sendable, CaseIterable {
  /// Exit code 0.
  case success
  /// Another exit code, or a signal.
  case failed
  /// It took longer than it, or the job, may.
  case timeout
  /// It was ended because the job was.
  case canceled
  /// It was never started, because a step before it failed.
  case skipped
  /// It could not be started.
  case error
}

/// When a job was worked on, and how long each part took: result.json's `timing`.
package struct JobTiming: Codable, Sendable, Equatable {
  /// When the worker began, by its wall clock, as ``Timestamp`` writes it.
  package var start: String
  /// When it was done.
  package var end: String
  /// Milliseconds between the two on the monotonic clock, which a wall clock set back does not touch.
  package var durationMs: Int
  /// Milliseconds of copying to the workspace; none when it was not begun.
  package var stageMs: Int?
  /// Milliseconds of all steps.
  package var runMs: Int?
  /// Milliseconds of bringing the artifacts back.
  package var syncMs: Int?

  /// A timing of the given parts.
  package init(
    start: String, end: String, durationMs: Int, stageMs: Int? = nil, runMs: Int? = nil, syncMs: Int? = nil
  ) {
    self.start = start
    self.end = end
    self.durationMs = durationMs
    self.stageMs = stageMs
    self.runMs = runMs
    self.syncMs = syncMs
  }
}

extension JobResult {
  /// The largest result.json that is written or read.
  package static let largestFile = 1 << 28

  /// How much of a result is written. A volume that is full has room for less than all.
  package enum Form: Int {
    case whole
    /// Without what lies in results/ anyhow, and what was deleted or left out.
    case withoutLists
    /// With the beginnings of the steps' commands.
    case withShortCommands
    /// Without the steps.
    case withoutSteps

    /// The next that takes less room.
    package var shorter: Form? { Form(rawValue: rawValue + 1) }
  }

  private static let shortCommand = 80

  /// The result with what `form` leaves it, and a word on what is missing in `skipped`.
  package func inForm(_ form: Form) -> JobResult {
    guard form != .whole else { return self }
    var result = self
    var missing =
      "the volume has no room for all of it: \(artifacts.count) artifacts, \(deleted.count) deleted and "
      + "\(skipped.count) skipped files are not listed; what came back lies in results"
    (result.artifacts, result.deleted) = ([], [])
    if form == .withShortCommands {
      missing += "; commands are cut"
      for index in result.steps.indices {
        result.steps[index].command = String(result.steps[index].command.prefix(JobResult.shortCommand))
      }
    }
    if form == .withoutSteps {
      missing += "; nor are \(steps.count) steps"
      result.steps = []
    }
    result.skipped = [SkippedPath(path: WorkspacePath("results/result.json"), reason: missing)]
    return result
  }
}

/// Why the worker, and not a step, could not do its part of a job; the job's result tells it with status `error`.
package struct JobFailure: Error, CustomStringConvertible {
  /// Where in a job's life it happened.
  package enum Phase: String, Sendable {
    case stage, run, sync
  }

  package let phase: Phase
  package let description: String

  package init(_ phase: Phase, _ description: String) {
    self.phase = phase
    self.description = description
  }
}
