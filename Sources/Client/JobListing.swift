package import Jobs
import SystemPackage
package import Volume

/// Where a job is in its life, as far as the volume tells.
package enum JobState: String, Encodable, Sendable, CaseIterable {
  /// A worker has it, or died over it and the next one will.
  case running
  /// A busy worker put its request down, and the next idle one takes it up.
  case queued
  /// Its request waits for somebody's approval.
  case awaitingApproval = "awaiting-approval"
  /// It has a folder and was not run: its request is with the broker, or was never sent.
  case pending
  /// It has a result.
  case finished
}

/// One job in a list: what is known of it now. What is not known is left out of its JSON.
package struct JobSummary: Encodable, Sendable {
  /// The job.
  package let id: JobID
  /// Where it is in its life.
  package let state: JobState
  /// Which attempt it is, from 1.
  package internal(set) var attempt: Int?
  /// The worker that has it, or had it.
  package internal(set) var workerId: String?
  /// The step that runs, from 0.
  package internal(set) var step: Int?
  /// The topic filter of the workers that may take it.
  package internal(set) var filter: String?
  /// Since when it waits.
  package internal(set) var since: String?
  /// How it ended.
  package internal(set) var status: JobStatus?
  /// Its exit code.
  package internal(set) var exitCode: Int?
  /// When it ended.
  package internal(set) var end: String?
  /// Milliseconds that it took.
  package internal(set) var durationMs: Int?
  /// What went wrong.
  package internal(set) var error: String?
  /// That the broker does not take its result.
  package internal(set) var undelivered: UndeliveredSummary?

  package init(_ id: JobID, _ state: JobState) {
    self.id = id
    self.state = state
  }
}

/// The jobs on a volume.
///
/// A job may be in several states at once, as one that is run again while its last result is still there; the first in the
/// order of ``JobState`` counts. Requests that only the broker has are not seen from here.
package struct JobListing: Sendable {
  private let records: JobRecords

  /// The jobs on `directory`.
  package init(_ directory: JobsDirectory) {
    records = JobRecords(directory)
  }

  /// All jobs: by state, and the finished ones with those first that ended last. Throws ``VolumeError``.
  package func jobs() throws(VolumeError) -> [JobSummary] {
    var jobs = try underway()
    let known = Set(jobs.map(\.id))
    let undelivered = try undelivered()
    let others = try records.jobs().filter { !known.contains($0) }.map { atRest($0, undelivered[$0]) }
    jobs += others.filter { $0.state == .pending }
    jobs += others.filter { $0.state == .finished }.sorted { ($0.end ?? "") > ($1.end ?? "") }
    return jobs
  }

  /// One job; `nil` when the volume knows nothing of it.
  package func job(_ id: JobID) throws(VolumeError) -> JobSummary? {
    if let job = try underway().first(where: { $0.id == id }) { return job }
    return records.exists(id) ? atRest(id, try undelivered()[id]) : nil
  }

  private func undelivered() throws(VolumeError) -> [JobID: UndeliveredSummary] {
    Dictionary(try records.undelivered().map { ($0.id, $0) }) { first, _ in first }
  }

  /// Jobs that are running, queued, or wait for approval, each once.
  private func underway() throws(VolumeError) -> [JobSummary] {
    var jobs: [JobID: JobSummary] = [:]
    for claim in try records.claims() { jobs[claim.id] = running(claim) }
    for (state, requests) in [(JobState.queued, try records.waiting()), (.awaitingApproval, try records.parked())] {
      for request in requests where jobs[request.id] == nil {
        var job = JobSummary(request.id, state)
        job.filter = request.filter
        job.since = request.since.description
        jobs[request.id] = job
      }
    }
    let order = JobState.allCases
    return jobs.values.sorted {
      let (a, b) = (order.firstIndex(of: $0.state) ?? 0, order.firstIndex(of: $1.state) ?? 0)
      return (a, $0.since ?? "", $0.id.text) < (b, $1.since ?? "", $1.id.text)
    }
  }

  private func running(_ claim: ClaimRecord) -> JobSummary {
    var job = JobSummary(claim.id, .running)
    job.attempt = claim.attempt
    job.workerId = claim.worker
    job.filter = claim.filter
    // Logs beside a result are those of the run before.
    guard records.result(of: claim.id) == nil else { return job }
    job.step = lastLog(of: claim.id)
    return job
  }

  private func atRest(_ id: JobID, _ undelivered: UndeliveredSummary?) -> JobSummary {
    guard let result = records.result(of: id) else { return JobSummary(id, .pending) }
    var job = JobSummary(id, .finished)
    job.attempt = result.attempt
    job.workerId = result.workerId
    job.status = result.status
    job.exitCode = result.exitCode
    job.end = result.timing.end
    job.durationMs = result.timing.durationMs
    job.error = result.error
    job.undelivered = undelivered
    return job
  }

  private func lastLog(of id: JobID) -> Int? {
    ResultsListing(of: id, records)?.steps().last
  }
}
