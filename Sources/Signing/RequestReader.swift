package import Jobs

/// Reads payloads from the broker and the volume as requests: JSON objects, or, if signatures are required, only
/// compact JWS (RFC 7515) over JSON objects.
package struct RequestReader: Sendable {
  /// A payload and the key that signed it.
  package struct Verified: Sendable, Equatable {
    /// The bytes that were signed.
    package let payload: [UInt8]
    /// The key's `kid`, or its substitute in logs.
    package let keyID: String

    /// A payload with a verified signature.
    package init(payload: [UInt8], keyID: String) {
      self.payload = payload
      self.keyID = keyID
    }
  }

  /// The largest JWS: base64 of the largest request, with its header and signature.
  package static let largestSigned = 384 << 10

  private let verify: (@Sendable ([UInt8]) throws -> Verified)?
  private let audience: [String]

  /// Accepts only unsigned requests: without a key no signature can be verified.
  package static let unsigned = RequestReader(verify: nil, audience: [])

  /// Accepts only signed requests. `verify` throws the reason why it refuses a signature, as words that follow "the
  /// request is not signed as it must be:"; `audience` has the names of this worker: its id and its group.
  package init(audience: [String], verify: @escaping @Sendable ([UInt8]) throws -> Verified) {
    self.init(verify: verify, audience: audience)
  }

  private init(verify: (@Sendable ([UInt8]) throws -> Verified)?, audience: [String]) {
    self.verify = verify
    self.audience = audience
  }

  /// Reads a request that arrives now, and checks its time limits and audience. Throws with the sentence for the
  /// sender.
  package func arriving(_ payload: [UInt8], at now: Timestamp = .now) throws(InvalidInput) -> JobRequest {
    let request = try read(payload)
    try request.signature?.check(at: now, request.id)
    guard isMeantForThisWorker(request) else {
      let names = audience.map(\.quoted).joined(separator: " and ")
      let meant = request.signature?.audience?.map(\.quoted).joined(separator: ", ") ?? ""
      throw InvalidInput(
        id: request.id,
        description: "the request is for \(meant.isEmpty ? "nobody" : meant) (\"aud\"), and this worker is \(names)")
    }
    return request
  }

  /// Reads a request, and verifies its signature if one is required. Does not check the time limits and the audience.
  package func read(_ payload: [UInt8]) throws(InvalidInput) -> JobRequest {
    guard let verify else {
      if looksSigned(payload) {
        throw InvalidInput(
          id: unverifiedID(payload),
          description: "the request is signed (JWS), and this worker has no key to verify it with; "
            + "start it with --verify-key, or send plain JSON")
      }
      return try JobRequest(payload: payload)
    }
    guard payload.count <= RequestReader.largestSigned else {
      throw InvalidInput(
        description: "the payload is \(payload.count) bytes; at most \(RequestReader.largestSigned) "
          + "(\(RequestReader.largestSigned >> 10) KiB) are taken")
    }
    let verified: Verified
    do {
      verified = try verify(payload)
    } catch {
      throw resemblesJWS(payload)
        ? InvalidInput(id: unverifiedID(payload), description: "the request is not signed as it must be: \(error)")
        : InvalidInput(
          id: plainID(payload),
          description: "the request is not signed, and this worker takes signed ones only (--verify-key); "
            + "make one with 'mqtt-fs-worker sign'")
    }
    let request = try JobRequest(payload: verified.payload, signedBy: verified.keyID)
    guard request.source != nil || request.steps != nil else {
      throw InvalidInput(
        id: request.id,
        description:
          "the request is signed, but not what it runs: it needs \"source\", the digest of the job's folder, "
          + "or its own \"steps\"; 'mqtt-fs-worker sign' puts it in")
    }
    return request
  }

  /// Whether the request's audience is this worker, its group, or not given.
  package func isMeantForThisWorker(_ request: JobRequest) -> Bool {
    request.signature?.audience?.contains(where: audience.contains) ?? true
  }

  /// Whether a payload may be meant as a JWS: it has only letters of base64url, and dots. A JSON object has others.
  private func resemblesJWS(_ payload: [UInt8]) -> Bool {
    payload.contains(UInt8(ascii: "."))
      && payload.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
          UInt8(ascii: "="), UInt8(ascii: " "), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
          true
        default: false
        }
      }
  }

  /// Whether it also has the three parts of a JWS, and the first one starts like a JSON object.
  private func looksSigned(_ payload: [UInt8]) -> Bool {
    payload.first == UInt8(ascii: "e") && payload.count { $0 == UInt8(ascii: ".") } == 2 && resemblesJWS(payload)
  }

  /// The job id of a request whose signature is not verified, for the topic of the answer.
  private func unverifiedID(_ payload: [UInt8]) -> JobID? {
    RequestReader.unverifiedClaims(payload).flatMap { plainID($0) }
  }

  /// The claims of a JWS, unverified; `nil` for anything else.
  private static func unverifiedClaims(_ payload: [UInt8]) -> [UInt8]? {
    let parts = payload.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    return Base64URL.decodeLoosely(parts[1])
  }

  /// Reads a request without verifying its signature, for clients without a key. The name of its key is empty.
  package static func unverified(_ payload: [UInt8]) throws(InvalidInput) -> JobRequest {
    guard payload.first == UInt8(ascii: "e"), let claims = unverifiedClaims(payload) else {
      return try JobRequest(payload: payload)
    }
    return try JobRequest(payload: claims, signedBy: "")
  }

  private func plainID(_ payload: [UInt8]) -> JobID? {
    do {
      return try JobRequest(payload: payload).id
    } catch {
      return error.id
    }
  }
}

/// Whether a payload is a worker's result, event or status: it has `workerId`, and one of `status`, `event` and
/// `state`, but no `steps`.
package func isSaidByWorker(_ payload: [UInt8]) -> Bool {
  // Most requests need no parsing for this.
  guard payload.count <= 128 << 10, payload.firstRange(of: #""workerId""#.utf8) != nil,
    let text = try? JSONText(payload), text.root["workerId"]?.string != nil, text.root["steps"] == nil
  else { return false }
  return ["status", "event", "state"].contains { text.root[$0]?.string != nil }
}
