package import FileTree
package import Jobs
package import Steps
private import SystemPackage
package import Volume

/// The facts about a job so far, from which ``finish()`` makes its result.
package struct JobReport: Sendable {
  private(set) var result: JobResult
  package var steps: [StepResult] {
    get { result.steps }
    set { result.steps = newValue }
  }
  package var skipped: [SkippedPath] {
    get { result.skipped }
    set { result.skipped = newValue }
  }
  /// The step whose failure decides the job's status. A step with `continueOnError` never is.
  var decisive: StepResult?
  /// The end of that step's log.
  package var tail: String?
  /// Why steps were ended, or not started.
  var stoppedBy: StopReason?
  /// When the job's timeout ends it. `nil` before the first step, and for a job without a timeout.
  package var deadline: ContinuousClock.Instant?
  /// Whether the job exceeded its timeout.
  var isTimedOut = false
  /// The first required artifact that is not there.
  private var missingArtifact: String?
  /// What was not exported because the job had to end.
  private var missing: String?
  /// Masks secrets in the result's sentences and outputs.
  var redaction: Redaction
  /// The outputs so far.
  private var outputs: [String: String] = [:]
  /// The first step of which the kernel ended a process for lack of memory.
  private var outOfMemory: (step: Int, limit: MemoryLimit)?
  private let started = ContinuousClock.now

  package init(_ claim: ClaimRecord, worker: WorkerIdentity, redacting redaction: Redaction = .none) {
    self.redaction = redaction
    let now = Timestamp.now.description
    result = JobResult(
      jobId: claim.id, status: .success, exitCode: 0, timing: JobTiming(start: now, end: now, durationMs: 0), steps: [],
      attempt: claim.attempt, workerId: worker.id.text, workerVersion: worker.version, host: worker.process.host,
      requestId: claim.envelope.requestId.text)
  }

  /// Notes what the author of the job or of its request may not have meant.
  mutating func warn(_ warnings: [String]) {
    result.warnings = warnings.isEmpty ? nil : warnings.map(redaction.masking)
  }

  /// Notes how long a part took, on the monotonic clock.
  package mutating func took(_ part: any WritableKeyPath<JobTiming, Int?> & Sendable, _ duration: Duration) {
    result.timing[keyPath: part] = duration.milliseconds
  }

  /// Notes how a step ended, except for its result, which is still to be masked.
  mutating func add(_ end: StepRun.End) {
    outputs = end.variables.outputs
    if end.isJobTimedOut { isTimedOut = true }
    if outOfMemory == nil, let limit = end.memoryLimit { outOfMemory = (end.result.index, limit) }
  }

  /// An estimate of the bytes that the outputs take in result.json.
  var outputsSize: Int { outputs.reduce(0) { $0 + 20 + 2 * ($1.key.utf8.count + $1.value.utf8.count) } }

  package mutating func add(_ changes: Changes) {
    result.deleted = changes.deleted.map { WorkspacePath($0) }
    result.skipped += changes.skipped.map { SkippedPath($0) }
    note(changes.failures, "looking for changed files")
  }

  package mutating func add(_ export: Export) {
    result.artifacts = export.files.map { file in
      Artifact(
        path: WorkspacePath(file.path), size: Int(file.size), mode: Artifact.octal(UInt32(file.mode)),
        sha256: file.sha256,
        change: Artifact.Change(file.change), storedAs: file.storedAs.map { WorkspacePath($0) })
    }
    result.skipped += export.skipped.map { SkippedPath($0) }
    result.skipped += export.unfinished.map {
      SkippedPath(path: WorkspacePath($0), reason: "not copied: the job was to end")
    }
    note(export.failures, "copying changed files to results")
  }

  /// Notes that `reason` ended the export; without a reason, the job's timeout ended it. A step's failure still decides
  /// the status.
  mutating func endSync(_ reason: StopReason?, missing: String) {
    self.missing = missing
    guard decisive == nil else { return }
    if let reason { stoppedBy = stoppedBy ?? reason } else { isTimedOut = true }
  }

  /// Notes a pattern of `artifacts.required` that matches no file of the workspace. A step's failure counts first.
  mutating func misses(_ artifact: RequiredArtifact) {
    if missingArtifact == nil { missingArtifact = artifact.text }
  }

  /// Whether the job has succeeded so far.
  var isSuccessful: Bool {
    !hasFailed && result.status == .success && stoppedBy == nil && !isTimedOut && decisive == nil
      && missingArtifact == nil
  }

  /// Notes what happened to a cache.
  mutating func add(_ cache: CacheResult) {
    result.caches = (result.caches ?? []) + [cache]
  }

  /// Notes that the cache of `key` was saved.
  mutating func saved(_ key: String) {
    guard let index = result.caches?.firstIndex(where: { $0.key == key }) else { return }
    result.caches?[index].saved = true
  }

  /// Adds a notice about something that the worker found or mended in results/, unless it is there already.
  mutating func flag(_ notice: SkippedPath?) {
    if let notice, !skipped.contains(notice) { skipped.append(notice) }
  }

  private mutating func note(_ failures: [FileTreeError], _ doing: String) {
    guard let first = failures.first else { return }
    let others = failures.count > 1 ? " (and \(failures.count - 1) more)" : ""
    fail(JobFailure(.sync, "\(doing): \(first)\(others)"))
  }

  /// What the environment of the next step says about the steps before it.
  func earlier(_ isStopped: Bool) -> StepRun.EarlierSteps {
    let status: JobStatus =
      if hasFailed {
        .error
      } else if stoppedBy != nil || isStopped && decisive == nil {
        .canceled
      } else if isTimedOut || decisive?.status == .timeout {
        .timeout
      } else {
        decisive == nil ? .success : .failed
      }
    return StepRun.EarlierSteps(job: status, steps: steps.map(\.status))
  }

  /// Whether the worker itself has failed.
  var hasFailed: Bool { result.phase != nil }

  /// Notes that the worker itself failed. The result tells the first failure only.
  mutating func fail(_ failure: JobFailure) {
    guard !hasFailed else { return }
    result.phase = failure.phase.rawValue
    result.error = redaction.masking(failure.description)
  }

  /// Notes that the staged files are not what the request asks for: no step may run.
  package mutating func reject(_ reason: InvalidInput) {
    result.status = .rejected
    result.error = redaction.masking(reason.description)
  }

  /// The result of a lost job, whose workers died `deaths` times.
  package consuming func lost(after deaths: Int, _ reason: String) -> JobResult {
    result.status = .lost
    result.exitCode = nil
    result.error = "its worker died \(deaths) time\(deaths == 1 ? "" : "s") while running the job, and \(reason)"
    return close()
  }

  /// Decides the status. A failure of the worker counts first, then what stopped the job, then a step's failure.
  package mutating func finish() -> JobResult {
    if hasFailed {
      result.status = .error
      result.exitCode = 125
    } else if result.status == .rejected {
      result.exitCode = nil
    } else if stoppedBy == .superseded {
      // The other worker gave the job up. If this worker kept silent, nobody would answer the request.
      result.status = .error
      result.reason = StopReason.superseded.rawValue
      result.exitCode = 125
      result.error = "another worker had begun to take the job over, and gave it up; send the job again"
    } else if stoppedBy == .lapsed {
      result.status = .error
      result.reason = StopReason.lapsed.rawValue
      result.exitCode = 125
      result.error =
        "the worker could not touch its claim on the volume for two thirds of its lease, ended the job before another worker "
        + "could begin it, and no attempt is left; see why the volume did not answer, or the worker stood still, and send the "
        + "job again"
    } else if let reason = stoppedBy {
      result.status = .canceled
      result.reason = reason.rawValue
      result.exitCode = decisive?.exitCode ?? 143
      result.error = reason == .shutdown ? "the worker was asked to stop" : "the job was canceled"
    } else if isTimedOut {
      result.status = .timeout
      result.exitCode = 124
      result.error = "the job took longer than its timeout"
    } else if let decisive {
      result.status = decisive.status == .timeout ? .timeout : .failed
      result.exitCode = decisive.exitCode
      result.error = decisive.failureSentence
    } else if let missingArtifact {
      result.status = .failed
      result.reason = "artifact-missing"
      result.exitCode = 1
      result.error =
        "no file of the workspace matches the required artifact \(missingArtifact.quoted); see what the steps made, and "
        + "artifacts.required of job.json"
    }
    return close()
  }

  /// Notes the end time, the duration, what the steps used and wrote, and what was not exported. Masks what became known
  /// as a secret only later.
  private mutating func close() -> JobResult {
    result.error = result.error.map(redaction.masking)
    result.steps = steps.map { $0.masked(by: redaction) }
    tail = tail.map(redaction.masking)
    if !outputs.isEmpty {
      let masked = outputs.map { (redaction.masking($0.key), redaction.masking($0.value)) }
      result.outputs = Dictionary(masked) { _, last in last }
    }
    for usage in steps.compactMap(\.usage) {
      result.usage = result.usage ?? Usage()
      result.usage?.add(usage)
    }
    if let (step, limit) = outOfMemory {
      result.outOfMemory = true
      result.error?.append("; the kernel ended a process of step \(step), because \(limit.sentence)")
    }
    if let missing {
      result.error = [result.error, "\(missing) did not come back"].compactMap(\.self).joined(separator: "; ")
    }
    result.timing.end = Timestamp.now.description
    result.timing.durationMs = (ContinuousClock.now - started).milliseconds
    return result
  }
}

extension StepResult {
  /// The sentence about the step's failure in the job's result.
  fileprivate var failureSentence: String {
    "\(name.map { "step \(index) (\($0))" } ?? "step \(index)") \(whatHappened)"
  }

  /// How the step, or one try of it, ended without success, as the end of a sentence.
  var whatHappened: String {
    if timedOut { return "took longer than its timeout" }
    if let signal { return "was ended by \(signal)" }
    return "failed with exit code \(exitCode ?? -1)"
  }
}

extension MemoryLimit {
  /// What ran out.
  fileprivate var sentence: String {
    switch self {
    case .bytes(let bytes): "memory reached its limit of \(bytes >> 20) MiB"
    case .host: "the host's memory ran out"
    }
  }
}

extension Duration {
  /// The duration in whole milliseconds, rounded toward zero.
  package var milliseconds: Int { Int(self / .milliseconds(1)) }
}

extension SkippedPath {
  /// An entry that a walk over a tree left out.
  init(_ entry: SkippedEntry) {
    self.init(path: WorkspacePath(entry.path), reason: entry.reason.rawValue)
  }
}

extension Artifact.Change {
  fileprivate init(_ change: ChangedEntry.Change) {
    self =
      switch change {
      case .new: .new
      case .modified: .modified
      case .mode: .mode
      }
  }
}

extension WorkspacePath {
  init(_ path: RelativePath) {
    self.init(bytes: path.bytes)
  }
}
