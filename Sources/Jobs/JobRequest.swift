/// A request for a job: the content of a message on the jobs topic.
package struct JobRequest: Sendable, Equatable {
  /// The largest payload: 256 KiB.
  package static let largestPayload = 256 << 10

  /// The job, which is also the name of its folder.
  package let id: JobID
  /// Steps to run instead of those in job.json.
  package var steps: [Step]?
  /// The sender's idempotency key.
  package var requestID: String?
  /// Variables that override those of job.json.
  package var environment: [String: String]
  /// The timeout that replaces that of job.json.
  package var timeout: Duration?
  /// The required digest of the staged folder (``FileTree/digest(of:excluding:threads:)``).
  package var source: String?
  /// The signature and its limits; `nil` for an unsigned request.
  package var signature: RequestSignature?
  /// Unknown keys for a warning: the first hundred in the order of the payload.
  package private(set) var unknownKeys: [UnknownKey] = []

  private static let keys = ["id", "steps", "requestId", "env", "timeout", "source"]

  /// A request with these values.
  package init(
    id: JobID, steps: [Step]? = nil, requestID: String? = nil, environment: [String: String] = [:],
    timeout: Duration? = nil, source: String? = nil, signature: RequestSignature? = nil
  ) {
    self.id = id
    self.steps = steps
    self.requestID = requestID
    self.environment = environment
    self.timeout = timeout
    self.source = source
    self.signature = signature
  }

  /// Reads a payload: a JSON object (RFC 8259) of at most ``largestPayload`` bytes, nested at most 64 deep.
  ///
  /// A signed request must have an expiry (`exp`) and an id of its own (`jti`, which becomes the ``requestID``). Unless
  /// the id itself is wrong, the error has an ``InvalidInput/id``, so that it can be published on the job's topic.
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
      case "requestId": request.requestID = try fields.key(value, "\"requestId\"", orElse: ", or leave it out")
      case "env": request.environment = try fields.environment(value, "\"env\"")
      case "timeout": request.timeout = try fields.duration(value, "\"timeout\"")
      case "source": request.source = try fields.source(value)
      case let key where keyID != nil && SignedClaims.names.contains(key): try claims.read(key, value, fields)
      default: fields.noteUnknown(member, among: JobRequest.keys)
      }
    }
    if let keyID { request.signature = try claims.signature(by: keyID, of: &request, fields) }
    request.unknownKeys = fields.unknownKeys
    self = request
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

  /// A sender's idempotency key. The result returns it, so its length is limited.
  fileprivate func key(
    _ value: JSONValue, _ name: String, orElse advice: String = ""
  ) throws(InvalidInput) -> String {
    let text = try string(value, name, like: "\"order-4711\"")
    guard !text.isEmpty else {
      throw invalid("\(name) is empty; write a key that no other request has\(advice)", at: value)
    }
    guard text.utf8.count <= RequestID.longest else {
      throw invalid(
        "\(name) has \(text.utf8.count) bytes, and at most \(RequestID.longest) are taken; write a shorter key",
        at: value)
    }
    return text
  }
}

/// The claims of a signed request (RFC 7519, section 4.1) and its key.
package struct RequestSignature: Sendable, Equatable {
  /// The key, by the verifier's name for it.
  package var keyID: String
  /// `sub`: the subject in whose name it was signed.
  package var subject: String?
  /// `exp`: the job may not start after this time.
  package var expires: Timestamp
  /// `nbf`: the job may not start before this time.
  package var notBefore: Timestamp?
  /// `iat`: the time of signing.
  package var issuedAt: Timestamp?
  /// `aud`: the workers or groups that may take it; `nil` for all that trust the key.
  package var audience: [String]?
}

// Reading it.
extension RequestSignature {
  /// The tolerated difference between this host's clock and the signer's.
  package static let leeway = Duration.seconds(10)

  /// Throws a sentence if the request may not start at `now`.
  package func check(at now: Timestamp, _ id: JobID) throws(InvalidInput) {
    let leeway = Int64(RequestSignature.leeway / .milliseconds(1))
    let clock = "this worker's clock says \(now)"
    if now.millisecondsSince1970 >= expires.millisecondsSince1970 + leeway {
      throw InvalidInput(id: id, description: "the request expired at \(expires) (\"exp\"), and \(clock); sign it anew")
    }
    let begin = now.millisecondsSince1970 + leeway
    if let notBefore, begin < notBefore.millisecondsSince1970 {
      throw InvalidInput(
        id: id, description: "the request is not valid before \(notBefore) (\"nbf\"), and \(clock); send it then")
    }
    if let issuedAt, begin < issuedAt.millisecondsSince1970 {
      throw InvalidInput(
        id: id, description: "the request was signed at \(issuedAt) (\"iat\"), and \(clock); set the clocks right")
    }
  }
}

/// The claims of a signed request that have been read so far.
struct SignedClaims {
  /// The claims that are known; `iss` is for people.
  static let names: Set<String> = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]

  private var subject: String?
  private var audience: [String]?
  private var expires: Timestamp?
  private var notBefore: Timestamp?
  private var issuedAt: Timestamp?
  private var requestID: String?

  mutating func read(_ name: String, _ value: JSONValue, _ fields: JobFields) throws(InvalidInput) {
    switch name {
    case "sub": subject = try fields.string(value, "\"sub\"", like: "\"ada@example.org\"")
    case "aud": audience = try fields.audience(value)
    case "exp": expires = try fields.moment(value, "\"exp\"")
    case "nbf": notBefore = try fields.moment(value, "\"nbf\"")
    case "iat": issuedAt = try fields.moment(value, "\"iat\"")
    case "jti": requestID = try fields.key(value, "\"jti\"")
    default: break
    }
  }

  /// The signature from these claims; `jti` becomes the request's key.
  func signature(
    by keyID: String, of request: inout JobRequest, _ fields: JobFields
  ) throws(InvalidInput) -> RequestSignature {
    guard let expires else {
      throw fields.missing(
        "\"exp\" is missing; a signed request says until when it may be begun, in seconds since 1970")
    }
    guard let requestID else {
      throw fields.missing("\"jti\" is missing; a signed request has a key that no other has, so that it is run once")
    }
    guard request.requestID == nil || request.requestID == requestID else {
      throw fields.missing("\"requestId\" and \"jti\" are not the same; leave \"requestId\" out")
    }
    request.requestID = requestID
    return RequestSignature(
      keyID: keyID, subject: subject, expires: expires, notBefore: notBefore, issuedAt: issuedAt, audience: audience)
  }
}

extension JobFields {
  /// A time as a number of seconds since 1970 (RFC 7519, section 2: NumericDate).
  func moment(_ value: JSONValue, _ key: String) throws(InvalidInput) -> Timestamp {
    // Up to the year 9999: later times cannot be written.
    guard let seconds = number(value), (0...253_402_300_799).contains(seconds) else {
      throw invalid(
        "\(key) is \(kind(of: value)); a number of seconds since 1970 is expected, like 1790000000", at: value)
    }
    return Timestamp(millisecondsSince1970: Int64(seconds * 1000))
  }

  /// A name, or an array of names (RFC 7519, section 4.1.3).
  func audience(_ value: JSONValue) throws(InvalidInput) -> [String] {
    guard case .array(let elements) = value.content else {
      return [try string(value, "\"aud\"", like: "\"workers\"")]
    }
    var names: [String] = []
    for element in elements { names.append(try string(element, "\"aud\"", like: "\"workers\"")) }
    return names
  }

  /// The digest of a job folder, as `h1:` and the base64 of 32 bytes.
  func source(_ value: JSONValue) throws(InvalidInput) -> String {
    let example = "\"h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\""
    let text = try string(value, "\"source\"", like: example)
    let isDigit = { (byte: UInt8) in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
        true
      default: false
      }
    }
    guard text.hasPrefix("h1:"), text.hasSuffix("="), text.utf8.count == 47,
      text.utf8.dropFirst(3).dropLast().allSatisfy(isDigit)
    else {
      throw invalid(
        "\"source\": \(text.quoted) is not the digest of a folder; one is written like \(example)", at: value)
    }
    return text
  }
}
