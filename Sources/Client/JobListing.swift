package import Jobs
import Signing
package import Volume

/// The jobs on a volume.
///
/// A job may be in several states at once, for instance running again while its last result still exists; the first one
/// in the order of ``JobState`` counts. Requests that only the broker has are not visible here.
package struct JobListing: Sendable {
  private let records: JobRecords

  /// The jobs on `directory`.
  package init(_ directory: JobsDirectory) {
    records = JobRecords(directory)
  }

  /// All jobs by state, with the latest ones first among the finished jobs. Throws ``VolumeError``.
  package func jobs() throws(VolumeError) -> [JobSummary] {
    var jobs = try underway()
    let known = Set(jobs.map(\.id))
    let undelivered = try undelivered()
    let others = try records.jobs().filter { !known.contains($0) }.map { atRest($0, undelivered[$0]) }
    jobs += others.filter { $0.state == .pending }
    jobs += others.filter { $0.state == .finished }.sorted { ($0.end ?? "") > ($1.end ?? "") }
    return jobs
  }

  /// The job `id`; `nil` if the volume has no trace of it. Throws ``VolumeError``, also if its result cannot be read.
  package func job(_ id: JobID) throws(VolumeError) -> JobSummary? {
    var job = try underway().first(where: { $0.id == id })
    if job == nil, try records.exists(id) {
      if let obstacle = records.obstacle(toResultOf: id) { throw obstacle }
      job = atRest(id, try undelivered()[id])
    }
    if [.pending, .queued].contains(job?.state) { job?.canceledBy = try records.canceler(of: id) }
    return job
  }

  /// The names of a job's steps, or the beginnings of their commands: of its result, or of the request that a worker runs,
  /// or else of its job.json; `nil` if there is none of these.
  package func titles(of id: JobID) -> [String]? {
    if let claim = try? records.claims(of: id).last { return RunningSteps(claim, records).titles }
    if let steps = records.result(of: id)?.steps {
      return steps.map { $0.name ?? String($0.command.prefix { !$0.isNewline }.prefix(60)) }
    }
    return (try? JobFolder.open(id, in: records.directory).definition())?.steps.map(\.title)
  }

  /// The results that the broker refused, by their jobs.
  package func undelivered() throws(VolumeError) -> [JobID: UndeliveredSummary] {
    Dictionary(try records.undelivered().map { ($0.id, $0) }) { first, _ in first }
  }

  /// Jobs that are running, queued, or wait for approval, each once.
  package func underway() throws(VolumeError) -> [JobSummary] {
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
    job.touched = records.lastTouch(of: claim)?.description
    let steps = RunningSteps(claim, records)
    job.steps = steps.titles?.count
    let trace = records.trace(of: claim, steps: job.steps)
    job.since = trace?.claimed.description
    (job.phase, job.phaseSince) = (trace?.phase, trace?.since.description)
    // Logs with a result are of the run before.
    guard records.result(of: claim.id) == nil else { return job }
    let logs = ResultsListing(of: claim.id, records)
    job.step = logs?.steps().last
    guard let step = job.step else { return job }
    if let titles = steps.titles, titles.indices.contains(step) { job.stepName = titles[step] }
    job.logBytes = logs?.size(ofStep: step)
    return job
  }

  /// A job that is not under way: finished, or else pending, whether or not it has a folder.
  package func atRest(_ id: JobID, _ undelivered: UndeliveredSummary?) -> JobSummary {
    guard let result = records.result(of: id) else {
      guard let obstacle = records.obstacle(toResultOf: id) else { return JobSummary(id, .pending) }
      var job = JobSummary(finished: id)
      job.error = obstacle.description
      return job
    }
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
}

/// The steps of a job that a worker has: those of its request, or else of its job.json.
struct RunningSteps {
  /// The names of the steps, or the beginnings of their commands; `nil` if they cannot be read.
  let titles: [String]?

  init(_ claim: ClaimRecord, _ records: JobRecords) {
    let request = try? RequestReader.unverified(Array(claim.envelope.payload.utf8))
    let steps = request?.steps ?? (try? JobFolder.open(claim.id, in: records.directory).definition())?.steps
    titles = steps?.map(\.title)
  }
}

extension Step {
  /// Its name, or the first line of its command, clipped.
  package var title: String { name ?? String(run.prefix { !$0.isNewline }.prefix(60)) }
}
