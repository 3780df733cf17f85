import Jobs
import Signing
import Volume

/// A request for a job, from any origin. All of it is hostile until ``Admission`` has judged it.
struct Request: Sendable {
  /// Where a request came from. It stays there until it is settled.
  enum Origin: Sendable {
    /// The broker delivered it, and sends it again until it is acknowledged.
    case delivery(JobOffer)
    /// A worker deferred it to the volume.
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
  /// When the request arrived, or was taken up from the volume: an earlier cancellation is not meant for it. `nil` for an
  /// abandoned request.
  let moment: ContinuousClock.Instant?

  /// A request that has just arrived and has been read.
  init(_ offer: JobOffer) {
    (id, envelope, origin) = (offer.request.id, offer.envelope, .delivery(offer))
    (content, moment, filter) = (.success(offer.request), offer.received, offer.filter)
  }

  /// A deferred request for the workers of `filter`.
  init(_ deferred: DeferredRequest, for filter: String?, _ reader: RequestReader) {
    (id, envelope, origin) = (deferred.id, deferred.envelope, .deferred(deferred))
    (content, moment, self.filter) = (Self.read(deferred.envelope, of: deferred.id, reader), .now, filter)
  }

  /// The request in the claim of a dead worker; `nil` if the claim is incomplete.
  init?(_ abandoned: ClaimFile, _ reader: RequestReader) {
    guard let record = abandoned.record else { return nil }
    (id, envelope, origin) = (record.id, record.envelope, .abandoned(abandoned))
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
