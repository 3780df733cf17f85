/// What one message on the jobs topic asks for.
package struct JobRequest: Sendable, Equatable {
  /// The largest payload: 256 KiB.
  package static let largestPayload = 256 << 10

  /// The job, and the folder that holds it.
  package let id: JobID
  /// Steps to run instead of those in job.json.
  package var steps: [Step]?
  /// The sender's idempotency key.
  package var requestID: String?
  /// Variables laid over those of job.json.
  package var environment: [String: String]
  /// Used instead of job.json's.
  package var timeout: Duration?
  /// The digest that the staged folder must have (``FileTree/digest(of:excluding:threads:)``).
  package var source: String?
  /// Who signed it, and until when it may be begun; `nil` for one that is not signed.
  package var signature: RequestSignature?
  /// Keys that mean nothing here (`foo`, `steps[2].foo`), worth a warning: the first hundred in the order of the
  /// payload, clipped and escaped.
  package let unknownKeys: [String]

  /// A request of the given parts.
  package init(
    id: JobID, steps: [Step]? = nil, requestID: String? = nil, environment: [String: String] = [:],
    timeout: Duration? = nil, source: String? = nil, signature: RequestSignature? = nil, unknownKeys: [String] = []
  ) {
    self.id = id
    self.steps = steps
    self.requestID = requestID
    self.environment = environment
    self.timeout = timeout
    self.source = source
    self.signature = signature
    self.unknownKeys = unknownKeys
  }

  /// Reads a payload: a JSON object (RFC 8259) of at most ``largestPayload`` bytes, nested at most 64 deep.
  ///
  /// One that a key signed must say when it expires (`exp`) and what tells it from others (`jti`, which becomes the
  /// ``requestID``). Throws with ``InvalidInput/id`` when something else than the id is wrong, so that the answer finds its
  /// way.
  package init(payload: [UInt8], signedBy keyID: String? = nil) throws(InvalidInput) {
    let example = "{\"id\": \"job_2026_01\"}"
    var fields = try JobFields(
      payload, subject: "the payload", prefix: "", largest: JobRequest.largestPayload)
    let members = try fields.members(like: example)
    let ids = members.filter { $0.key == "id" }
    guard let first = ids.first else {
      throw fields.missing("\"id\" is missing; it names the job, like \(example)")
    }
    if ids.count == 1 {
      fields.id = try fields.jobID(first.value)
    }
    try fields.refuseDuplicates()
    guard let id = fields.id else {
      throw fields.missing("\"id\" is there twice; keep one")
    }

    var request = JobRequest(id: id)
    var claims = SignedClaims()
    for member in members {
      let value = member.value
      switch member.key {
      case "id": break
      case "steps": request.steps = try fields.steps(value)
      case "requestId": request.requestID = try fields.requestID(value)
      case "env": request.environment = try fields.environment(value, "\"env\"")
      case "timeout": request.timeout = try fields.duration(value, "\"timeout\"")
      case "source": request.source = try fields.source(value)
      case let key where keyID != nil && SignedClaims.names.contains(key): try claims.read(key, value, fields)
      default: fields.noteUnknown(member.key)
      }
    }
    if let keyID { request.signature = try claims.signature(by: keyID, of: &request, fields) }
    self.init(
      id: id, steps: request.steps, requestID: request.requestID, environment: request.environment,
      timeout: request.timeout, source: request.source, signature: request.signature, unknownKeys: fields.unknownKeys)
  }
}

extension JobFields {
  fileprivate func jobID(_ value: JSONValue) throws(InvalidInput) -> JobID {
    let text = try string(value, "\"id\"", like: "\"job_2026_01\"")
    do {
      return try JobID(text)
    } catch {
      throw invalid("\"id\": \(error)", at: value)
    }
  }

  /// A key goes back with the result, which must not become too large for that.
  func checkLength(_ key: String, _ name: String, _ value: JSONValue) throws(InvalidInput) {
    guard key.utf8.count <= RequestID.longest else {
      throw invalid(
        "\(name) has \(key.utf8.count) bytes, and at most \(RequestID.longest) are taken; write a shorter key",
        at: value)
    }
  }

  fileprivate func requestID(_ value: JSONValue) throws(InvalidInput) -> String {
    let text = try string(value, "\"requestId\"", like: "\"order-4711\"")
    if text.isEmpty {
      throw invalid("\"requestId\" is empty; write a key that no other request has, or leave it out", at: value)
    }
    try checkLength(text, "\"requestId\"", value)
    return text
  }
}
