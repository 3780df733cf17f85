import Jobs
import Signing
import Volume

/// A request for a job, wherever it came from. Everything in it is hostile until ``Admission`` has judged it.
struct Request: Sendable {
  /// Where a request came from. It stays there until it is settled.
  enum Origin: Sendable {
    /// The broker delivered it, and sends it again until it is acknowledged.
    case delivery(JobOffer)
    /// A busy worker deferred it: it lies on the volume.
    case deferred(DeferredRequest)
    /// The worker that held its job died, and left this claim.
    case abandoned(ClaimFile)
  }

  let id: JobID
  var envelope: Envelope
  let origin: Origin
  /// The content of the payload, or why it cannot be read.
  let content: Result<JobRequest, InvalidInput>
  /// When it was taken up: a cancellation that this worker heard before is not meant for it. `nil` for an abandoned one.
  let moment: ContinuousClock.Instant?

  /// A request that has just arrived, and was read then.
  init(_ offer: JobOffer) {
    (id, envelope, origin) = (offer.request.id, offer.envelope, .delivery(offer))
    (content, moment) = (.success(offer.request), offer.moment)
  }

  /// A request that is deferred.
  init(_ deferred: DeferredRequest, _ reader: RequestReader) {
    (id, envelope, origin) = (deferred.id, deferred.envelope, .deferred(deferred))
    (content, moment) = (Self.read(deferred.envelope, of: deferred.id, reader), .now)
  }

  /// The request in the claim of a worker that died; `nil` if the claim is not whole.
  init?(_ stale: ClaimFile, _ reader: RequestReader) {
    guard let record = stale.record else { return nil }
    (id, envelope, origin) = (record.id, record.envelope, .abandoned(stale))
    (content, moment) = (Self.read(record.envelope, of: record.id, reader), nil)
  }

  /// Reads a payload from the volume, where anybody may have put it: its name must be that of its content.
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

  /// The key that it is signed with, if it is.
  var keyID: String? { (try? content.get())?.signature?.keyID }

  /// Whether its job was begun before, by a worker that died.
  var isAbandoned: Bool { if case .abandoned = origin { true } else { false } }

  /// The broker may have given a delivery to somebody else, if the connection that brought it is gone: then its key is compared as
  /// that of a redelivery.
  mutating func noteConnection() {
    guard case .delivery(let offer) = origin, !offer.isCurrent() else { return }
    envelope.requestId = envelope.requestId.asRedelivered
  }

  /// Acknowledges a delivery. A request on the volume needs none.
  func acknowledge() async {
    if case .delivery(let offer) = origin { await offer.acknowledge() }
  }
}
