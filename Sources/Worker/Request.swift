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
  /// The content of the payload, or the reason why it cannot be read.
  let content: Result<JobRequest, InvalidInput>
  /// When this worker took up the request: an earlier cancellation is not meant for it. `nil` for an abandoned request.
  let moment: ContinuousClock.Instant?

  /// A request that has just arrived and has been read.
  init(_ offer: JobOffer) {
    (id, envelope, origin) = (offer.request.id, offer.envelope, .delivery(offer))
    (content, moment) = (.success(offer.request), offer.moment)
  }

  /// A deferred request.
  init(_ deferred: DeferredRequest, _ reader: RequestReader) {
    (id, envelope, origin) = (deferred.id, deferred.envelope, .deferred(deferred))
    (content, moment) = (Self.read(deferred.envelope, of: deferred.id, reader), .now)
  }

  /// The request in the claim of a dead worker; `nil` if the claim is incomplete.
  init?(_ stale: ClaimFile, _ reader: RequestReader) {
    guard let record = stale.record else { return nil }
    (id, envelope, origin) = (record.id, record.envelope, .abandoned(stale))
    (content, moment) = (Self.read(record.envelope, of: record.id, reader), nil)
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

  /// Compares the key as that of a redelivery from now on if the connection that brought the delivery is gone: the
  /// broker may have given the delivery to another worker.
  mutating func noteConnection() {
    guard case .delivery(let offer) = origin, !offer.isCurrent() else { return }
    envelope.requestId = envelope.requestId.asRedelivered
  }

  /// Acknowledges a delivery. A request on the volume needs no acknowledgement.
  func acknowledge() async {
    if case .delivery(let offer) = origin { await offer.acknowledge() }
  }
}
