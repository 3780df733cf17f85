/// What a job consists of: what its job.json says, or a request that brings its own steps.
package struct JobDefinition: Sendable, Equatable {
  /// The largest job.json: 16 MiB.
  package static let largestFile = 16 << 20

  /// The steps, in the order in which they run; 1 to 10,000.
  package var steps: [Step]
  /// Variables of all steps.
  package var environment: [String: String]
  /// How long all steps together may take.
  package var timeout: Duration?
  /// How often the job may be begun, when its workers die.
  package var maxAttempts: Int?
  /// Whether somebody must approve each request for the job before it is begun.
  package var requiresApproval = false
  /// Keys that mean nothing here (`foo`, `steps[2].foo`), worth a warning: the first hundred in the order of the
  /// file, clipped and escaped.
  package let unknownKeys: [String]

  /// A definition of the given parts.
  package init(
    steps: [Step], environment: [String: String] = [:], timeout: Duration? = nil, maxAttempts: Int? = nil,
    unknownKeys: [String] = []
  ) {
    self.steps = steps
    self.environment = environment
    self.timeout = timeout
    self.maxAttempts = maxAttempts
    self.unknownKeys = unknownKeys
  }

  /// Reads a job.json: a JSON object (RFC 8259) of at most ``largestFile`` bytes, nested at most 64 deep.
  package init(json: [UInt8]) throws(InvalidInput) {
    let example = "{\"steps\": [\"make\"]}"
    var fields = try JobFields(
      json, subject: "job.json", prefix: "job.json: ", largest: JobDefinition.largestFile)
    let members = try fields.members(like: example)
    try fields.refuseDuplicates()

    var definition = JobDefinition(steps: [])
    for member in members {
      let value = member.value
      switch member.key {
      case "steps": definition.steps = try fields.steps(value)
      case "env": definition.environment = try fields.environment(value, "\"env\"")
      case "timeout": definition.timeout = try fields.duration(value, "\"timeout\"")
      case "maxAttempts": definition.maxAttempts = try fields.count(value, "\"maxAttempts\"", in: 1...1000)
      case "requireApproval": definition.requiresApproval = try fields.flag(value, "\"requireApproval\"")
      default: fields.noteUnknown(member.key)
      }
    }
    // Empty steps were refused above, so these were never given.
    if definition.steps.isEmpty {
      throw fields.missing("\"steps\" is missing; an array of commands is expected, like \(example)")
    }
    self.init(
      steps: definition.steps, environment: definition.environment, timeout: definition.timeout,
      maxAttempts: definition.maxAttempts, unknownKeys: fields.unknownKeys)
    requiresApproval = definition.requiresApproval
  }

  /// The job that a request describes by itself, or `nil` when it brings no steps.
  package init?(request: JobRequest) {
    guard let steps = request.steps else { return nil }
    self.init(steps: steps, environment: request.environment, timeout: request.timeout)
  }

  /// The job with the request laid over it: the request's steps and timeout instead, its variables over the job's.
  package func overlaid(with request: JobRequest) -> JobDefinition {
    var result = self
    result.steps = request.steps ?? steps
    result.timeout = request.timeout ?? timeout
    result.environment.merge(request.environment) { $1 }
    return result
  }
}

/// A job's definition, and which file it was read from.
package struct DefinitionReading: Sendable {
  /// What the job consists of.
  package var definition: JobDefinition
  /// The digest of the job.json, `sha256:<hex>`; `nil` when none was read, or what it says does not count.
  package var digest: String?

  package init(definition: JobDefinition, digest: String? = nil) {
    self.definition = definition
    self.digest = digest
  }
}

extension JobRequest {
  /// The job that it asks for: its own steps, over what a job.json says if there is a good one; or that of the job.json,
  /// which must be good then.
  package func definition(
    over stored: () throws(InvalidInput) -> DefinitionReading?
  ) throws(InvalidInput) -> DefinitionReading {
    guard let own = JobDefinition(request: self) else {
      if let stored = try stored() { return stored.overlaid(with: self) }
      throw InvalidInput(id: id, description: "the request has no steps")
    }
    do {
      return try stored()?.overlaid(with: self) ?? DefinitionReading(definition: own)
    } catch {
      guard error.fault == nil else { throw error }
      return DefinitionReading(definition: own)
    }
  }
}

extension DefinitionReading {
  fileprivate func overlaid(with request: JobRequest) -> DefinitionReading {
    DefinitionReading(definition: definition.overlaid(with: request), digest: digest)
  }
}
