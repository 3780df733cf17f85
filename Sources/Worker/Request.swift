import Jobs
import Signing
import Volume

/// A request for a job, from any origin. All of it is hostile until ``Admission`` has judged it.
struct Request: Sendable {
  /// Where a request came from. It stays there until it is settled.
  enum Origin: Sendable {
    /// The broker delivered it, and sends it again until it is acknowledged.
    case delivery(JobOffer)
    /// A busy worker deferred it to the volume.
    case deferred(DeferredRequest)
    /// The worker that held its job died and left this claim.
    case abandoned(ClaimFile)
  }

  let id: JobID
  var envelope: Envelope
  let origin: Origin
  /// The topic filter whose workers it is for; `nil` in a dry run.
  let filter: String?
  /// The content of the payload, or the reason why it cannot be read.
  let content: Result<JobRequest, InvalidInput>
  /// When this worker took up the request: an earlier cancellation is not meant for it. `nil` for an abandoned request.
  let moment: ContinuousClock.Instant?

  /// A request that has just arrived and has been read.
  init(_ offer: JobOffer) {
    (id, envelope, origin) = (offer.request.id, offer.envelope, .delivery(offer))
    (content, moment, filter) = (.success(offer.request), offer.moment, offer.filter)
  }

  /// A deferred request for the workers of `filter`.
  init(_ deferred: DeferredRequest, for filter: String?, _ reader: RequestReader) {
    (id, envelope, origin) = (deferred.id, deferred.envelope, .deferred(deferred))
    (content, moment, self.filter) = (Self.read(deferred.envelope, of: deferred.id, reader), .now, filter)
  }

  /// The request in the claim of a dead worker; `nil` if the claim is incomplete.
  init?(_ stale: ClaimFile, _ reader: RequestReader) {
    guard let record = stale.record else { return nil }
    (id, envelope, origin) = (record.id, record.envelope, .abandoned(stale))
    (content, moment, filter) = (Self.read(record.envelope, of: record.id, reader), nil, record.filter)
  }

  /// Reads a payload from the volume. Anybody may have written it, so the id of its file must match the id in its
  /// content.
  private static func read(
    _ envelope: Envelope, of id: JobID, _ reader: RequestReader
  ) -> Result<JobRequest, InvalidInput> {
    Result { () throws(InvalidInput) in
      let request = try reader.read(Array(envelope.payload.utf8))
      guard request.id == id, request.signature == nil || request.requestID == envelope.requestId.text else {
        throw InvalidInput(
          id: id, description: "the request that lies on the volume for \(id) is another's; send it again")
      }
      return request
    }
  }

  /// The key that signed the request; `nil` if it is unsigned.
  var keyID: String? { (try? content.get())?.signature?.keyID }

  /// Whether a worker that died began the job before.
  var isAbandoned: Bool { if case .abandoned = origin { true } else { false } }

  /// Whether the connection that brought it is open, if one did.
  var isCurrent: Bool { if case .delivery(let offer) = origin { offer.isCurrent() } else { true } }

  /// Whether that connection was gone at the last look: the broker may have given the delivery to another worker.
  private(set) var isStale = false

  /// Looks whether the connection that brought it is gone. A key that was made here is then compared as that of a
  /// redelivery.
  mutating func noteConnection() {
    guard !isCurrent else { return }
    isStale = true
    envelope.requestId = envelope.requestId.asRedelivered
  }

  /// Acknowledges a delivery. A request on the volume needs no acknowledgement.
  func acknowledge() async {
    if case .delivery(let offer) = origin { await offer.acknowledge() }
  }
}

/// A job whose claim this worker holds, and the work that remains for it.
package struct AcceptedJob: Sendable {
  /// The work that remains for a job.
  enum Work: Sendable {
    /// Run its steps.
    case run(JobPlan)
    /// Answer that it was canceled, before any worker had it, by this user.
    case cancel(JobPlan, by: String)
    /// Publish this result: an earlier worker wrote it and died before it released the claim.
    case publish(JobResult)
    /// Answer that the job is lost: its worker died, and no attempt begins again. The text follows "its worker died,
    /// and".
    case giveUp(JobFolder, String)
  }

  let claim: Claim
  var work: Work
  /// The attempts before this one that did not begin. They do not count.
  var unbegun = 0
  /// Earlier cancellations were meant for an earlier run of the job: an idle worker also receives the cancellations for
  /// other workers' jobs.
  let cancelableSince: ContinuousClock.Instant

  /// The number of attempts that have begun, with this one.
  var count: Int { claim.record.attempt - unbegun }

  /// Whether `cancellation` ends this job.
  func isMeant(by cancellation: Cancellation) -> Bool {
    cancellation.id == claim.record.id && cancelableSince <= cancellation.received
  }

  /// The place of this attempt, or of one of its steps.
  func place(step: Int? = nil) -> JobPlace {
    JobPlace(claim.record.id, attempt: claim.record.attempt, step: step)
  }

  func event(_ name: JobEvent.Kind, _ worker: WorkerIdentity) -> JobEvent {
    JobEvent(
      event: name, id: claim.record.id, requestId: claim.record.envelope.requestId, workerId: worker.id.text,
      attempt: claim.record.attempt)
  }

  /// The event to publish after the result.
  func ending(_ result: JobResult, _ worker: WorkerIdentity) -> JobEvent {
    var event = event(result.status == .rejected ? .rejected : .completed, worker)
    (event.status, event.exitCode) = (result.status.rawValue, result.exitCode)
    if result.status == .rejected { event.error = result.error }
    return event
  }
}
