import FoundationEssentials
package import SystemPackage

/// The result of a job: the content of result.json.
package struct JobResult: Codable, Sendable, Equatable {
  /// The form of result.json that this type reads and writes.
  static let currentSchema = 1

  /// The form of the file; see ``currentSchema``.
  package let schema: Int
  /// The job.
  package var jobId: JobID
  /// How it ended.
  package var status: JobStatus
  /// The exit code of the step that decided the job; `null` if no step did.
  package var exitCode: Int?
  /// The start, the end and the durations.
  package var timing: JobTiming
  /// The steps in order, including the skipped ones.
  package var steps: [StepResult]
  /// The error, as a sentence.
  package var error: String?
  /// The attempt, from 1.
  package var attempt: Int
  /// The worker that wrote the result.
  package var workerId: String
  /// The worker's version.
  package var workerVersion: String
  /// The worker's host.
  package var host: String
  /// The request's idempotency key.
  package var requestId: String?
  /// The reason for the end, as a word for programs (`shutdown`, `job-not-found`).
  package var reason: String?
  /// The phase of an `error` (`stage`, `run`, `sync`).
  package var phase: String?
  /// The files that the job created or changed.
  package var artifacts: [Artifact]
  /// The files that the job removed.
  package var deleted: [WorkspacePath]
  /// The entries that could not be copied.
  package var skipped: [SkippedPath]
  /// What the worker accepted and the author may not have meant, as unknown keys; `nil` if there is nothing.
  package var warnings: [String]?
  /// What happened to the job's caches; `nil` if it has none.
  package var caches: [CacheResult]?
  /// What the steps wrote to `$JOB_OUTPUT`, by name; `nil` if they wrote nothing.
  package var outputs: [String: String]?
  /// What the steps used; `nil` if none started.
  package var usage: Usage?
  /// `true` if the kernel ended a process of a step because memory ran out, and otherwise `nil`.
  package var outOfMemory: Bool?

  /// A result with these values.
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

extension JobResult {
  /// Why logs of steps are incomplete, each with the log's name.
  package var logErrors: [String] { steps.compactMap(\.logError) }
}

// The file.
extension JobResult {
  /// The file's content: indented, keys sorted, with a newline at the end.
  package func encoded() throws -> [UInt8] {
    try indentedJSON(self)
  }

  /// Reads a file's content. Throws unless it is a result.json of the current ``schema``.
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

/// The fault of a text that could not be decoded: the place where it stops being JSON, or the wrong key.
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
  /// Writes an object, with `exitCode` even if it is `null`, and with the lists even if they are empty.
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
    try container.encodeIfPresent(warnings, forKey: .warnings)
    try container.encodeIfPresent(caches, forKey: .caches)
    try container.encodeIfPresent(outputs, forKey: .outputs)
    try container.encodeIfPresent(usage, forKey: .usage)
    try container.encodeIfPresent(outOfMemory, forKey: .outOfMemory)
  }
}

/// How a job ended.
package enum JobStatus: String, Codable, Sendable, CaseIterable {
  /// Every step that counts succeeded.
  case success
  /// A step failed.
  case failed
  /// The job, or the step that ended it, exceeded its timeout.
  case timeout
  /// The job was canceled, or its worker was stopped.
  case canceled
  /// Staging, spawning or syncing failed: an error of the worker or its machine, not of the job.
  case error
  /// The worker died in the last attempt.
  case lost
  /// The job never started.
  case rejected
}

/// How a step ended.
package enum StepStatus: String, Codable, Sendable, CaseIterable {
  /// Exit code 0.
  case success
  /// Another exit code, or a signal.
  case failed
  /// The step exceeded its own timeout or the job's.
  case timeout
  /// The step was ended because the job was ended.
  case canceled
  /// The step never started because an earlier step failed.
  case skipped
  /// The step could not be started.
  case error
}

extension JobResult {
  /// The largest result.json that is written or read.
  package static let largestFile = 1 << 28

  /// The parts of a result that are written: a full volume has no room for all of it.
  package enum Form: Int {
    case whole
    /// Without the lists of artifacts, deleted and skipped files, and without outputs.
    case withoutLists
    /// With shortened commands, too.
    case withShortCommands
    /// Without the steps.
    case withoutSteps

    /// The next shorter form.
    package var shorter: Form? { Form(rawValue: rawValue + 1) }
  }

  private static let shortCommand = 80

  /// The result in this form, with a note in `skipped` about what is missing.
  package func inForm(_ form: Form) -> JobResult {
    guard form != .whole else { return self }
    var result = self
    var missing =
      "the volume has no room for all of it: \(artifacts.count) artifacts, \(deleted.count) deleted and "
      + "\(skipped.count) skipped files are not listed; what came back lies in results"
    (result.artifacts, result.deleted) = ([], [])
    if let outputs {
      missing += "; nor are \(outputs.count) outputs"
      result.outputs = nil
    }
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

/// A failure of the worker itself, not of a step; the job's result has the status `error`.
package struct JobFailure: Error, CustomStringConvertible {
  /// The phase of the job.
  package enum Phase: String, Sendable {
    case stage, run, sync
  }

  package let phase: Phase
  package let description: String
  /// The system's error, if that was the cause.
  package let cause: Errno?

  package init(_ phase: Phase, _ description: String, cause: Errno? = nil) {
    self.phase = phase
    self.description = description
    self.cause = cause
  }
}
