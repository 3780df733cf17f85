private import FoundationEssentials
package import Jobs

/// The JSON of a request; absent values are left out.
package struct RequestPayload: Encodable {
  /// A step: only its command as a string, or an object with all its settings.
  package enum Step: Encodable {
    case command(String)
    case full(Jobs.Step)

    private enum CodingKeys: String, CodingKey {
      case name, run, shell, env, workingDirectory, timeout, continueOnError, always, retries, retryDelay
    }

    package func encode(to encoder: any Encoder) throws {
      switch self {
      case .command(let command):
        var container = encoder.singleValueContainer()
        try container.encode(command)
      case .full(let step):
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(step.name, forKey: .name)
        try container.encode(step.run, forKey: .run)
        if step.shell != Jobs.Step.defaultShell { try container.encode(step.shell, forKey: .shell) }
        if !step.environment.isEmpty { try container.encode(step.environment, forKey: .env) }
        try container.encodeIfPresent(step.workingDirectory, forKey: .workingDirectory)
        try container.encodeIfPresent(step.timeout?.jobText, forKey: .timeout)
        if step.continueOnError { try container.encode(true, forKey: .continueOnError) }
        if step.always { try container.encode(true, forKey: .always) }
        if step.retries > 0 { try container.encode(step.retries, forKey: .retries) }
        try container.encodeIfPresent(step.retryDelay?.jobText, forKey: .retryDelay)
      }
    }
  }

  private let id: String
  private var requestId: String?
  private var jti: String?
  private var iat: Int64?
  private var exp: Int64?
  private var aud: [String]?
  package var source: String?
  package var steps: [Step]?
  package var env: [String: String]?
  package var timeout: String?

  /// A request for the job `id` with the idempotency key `key`, by default a random one.
  package init(id: String, key: String? = nil) {
    self.id = id
    requestId = key ?? UUID().uuidString
  }

  /// Adds the claims that a signed request needs (RFC 7519): it may start within `expires`, on the workers and groups
  /// of `audience`, or on all if it is empty. The key becomes the claim `jti`.
  package mutating func limit(to expires: Duration, audience: [String]) {
    let now = Int64(Date().timeIntervalSince1970)
    iat = now
    exp = now + max(1, expires.components.seconds)
    aud = audience.isEmpty ? nil : audience
    jti = requestId
    requestId = nil
  }
}
