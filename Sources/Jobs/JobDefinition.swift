package import FileTree

/// The definition of a job, from its job.json or from a request with steps of its own.
package struct JobDefinition: Sendable, Equatable {
  /// The largest job.json: 16 MiB.
  package static let largestFile = 16 << 20

  /// The steps, in the order in which they run; 1 to 10,000.
  package var steps: [Step]
  /// Variables of all steps.
  package var environment: [String: String]
  /// The time limit for all steps together.
  package var timeout: Duration?
  /// The number of attempts, if workers die while running the job.
  package var maxAttempts: Int?
  /// Whether somebody must approve each request for the job before it starts.
  package var requiresApproval = false
  /// What of the job's folder is not staged.
  package var stageExclude = Patterns.none
  /// What comes back.
  package var artifacts = ArtifactRules()
  /// What the host keeps between jobs.
  package var caches: [CacheRule] = []
  /// Unknown keys (`foo`, `steps[2].foo`) for a warning: the first hundred in the order of the file, clipped and
  /// escaped.
  package private(set) var unknownKeys: [String] = []

  /// A definition with these values.
  package init(
    steps: [Step], environment: [String: String] = [:], timeout: Duration? = nil, maxAttempts: Int? = nil
  ) {
    self.steps = steps
    self.environment = environment
    self.timeout = timeout
    self.maxAttempts = maxAttempts
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
      case "stage": definition.stageExclude = try fields.stageExclude(value)
      case "artifacts": definition.artifacts = try fields.artifacts(value)
      case "cache": definition.caches = try fields.caches(value)
      case "requireApproval": definition.requiresApproval = try fields.flag(value, "\"requireApproval\"")
      default: fields.noteUnknown(member.key)
      }
    }
    // Empty steps were refused above, so the key is missing.
    if definition.steps.isEmpty {
      throw fields.missing("\"steps\" is missing; an array of commands is expected, like \(example)")
    }
    definition.unknownKeys = fields.unknownKeys
    self = definition
  }

  /// The job that a request defines by itself; `nil` if it has no steps.
  package init?(request: JobRequest) {
    guard let steps = request.steps else { return nil }
    self.init(steps: steps, environment: request.environment, timeout: request.timeout)
  }

  /// The job with the request's values: its steps and timeout replace the job's, its variables are added.
  package func overlaid(with request: JobRequest) -> JobDefinition {
    var result = self
    result.steps = request.steps ?? steps
    result.timeout = request.timeout ?? timeout
    result.environment.merge(request.environment) { $1 }
    return result
  }
}

/// A job's definition, and the digest of the file that it was read from.
package struct DefinitionReading: Sendable {
  /// The definition.
  package var definition: JobDefinition
  /// The digest of the job.json, `sha256:<hex>`; `nil` if no job.json was read, or it does not count.
  package var digest: String?

  package init(definition: JobDefinition, digest: String? = nil) {
    self.definition = definition
    self.digest = digest
  }
}

extension JobRequest {
  /// The job that it asks for. Its own steps override a valid job.json; without own steps job.json must be valid.
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
