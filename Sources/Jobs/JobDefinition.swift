package import FileTree

/// The definition of a job, from its job.json or from a request with steps of its own.
package struct JobDefinition: Sendable, Equatable {
  /// The largest job.json: 16 MiB.
  package static let largestFile = 16 << 20
  private static let fixedVariables: Set<String> = [
    "JOB_ID", "JOB_ATTEMPT", "JOB_WORKSPACE", "JOB_RESULTS_DIR", "JOB_STATUS", "JOB_ENV", "JOB_OUTPUT", "STEP_INDEX",
    "WORKER_ID",
  ]

  /// Whether a worker sets the variable `name` for step `index`, whatever `env` says.
  package static func isFixed(_ name: String, inStep index: Int) -> Bool {
    if fixedVariables.contains(name) { return true }
    guard name.hasPrefix("STEP_"), name.hasSuffix("_STATUS") else { return false }
    let number = name.dropFirst("STEP_".count).dropLast("_STATUS".count)
    return Int(number).map { (0..<index).contains($0) && String($0) == number } ?? false
  }

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
  /// Unknown keys for a warning: the first hundred in the order of the file.
  package private(set) var unknownKeys: [UnknownKey] = []

  /// A definition with these values.
  package init(
    steps: [Step], environment: [String: String] = [:], timeout: Duration? = nil, maxAttempts: Int? = nil
  ) {
    self.steps = steps
    self.environment = environment
    self.timeout = timeout
    self.maxAttempts = maxAttempts
  }

  private static let keys = [
    "steps", "env", "timeout", "maxAttempts", "stage", "artifacts", "cache", "requireApproval",
  ]

  /// Reads a job.json: a JSON object (RFC 8259) of at most ``largestFile`` bytes, nested at most 64 deep.
  package init(json: [UInt8]) throws(InvalidInput) {
    let (definition, faults) = JobDefinition.examine(json, mostFaults: 1)
    if let fault = faults.first { throw fault }
    self = definition
  }

  /// Reads a job.json for its author: all that is valid in it, and up to `mostFaults` faults.
  package static func examine(
    _ json: [UInt8], mostFaults: Int
  ) -> (definition: JobDefinition, faults: [InvalidInput]) {
    var definition = JobDefinition(steps: [])
    do throws(InvalidInput) {
      var fields = try JobFields(
        json, subject: "job.json", prefix: "job.json: ", largest: JobDefinition.largestFile, mostFaults: mostFaults)
      let example = "{\"steps\": [\"make\"]}"
      let members = try fields.members(like: example)
      var last: InvalidInput?
      do throws(InvalidInput) {
        try fields.noting { fields throws(InvalidInput) in try fields.refuseDuplicates() }
        for member in members {
          try fields.noting { fields throws(InvalidInput) in try definition.read(member, fields: &fields) }
        }
        if !members.contains(where: { $0.key == "steps" }) {
          last = fields.missing("\"steps\" is missing; an array of commands is expected, like \(example)")
        }
      } catch {
        // It is the last of the noted faults.
      }
      definition.unknownKeys = fields.unknownKeys
      return (definition, fields.faults + (last.map { [$0] } ?? []))
    } catch {
      return (definition, [error])
    }
  }

  private mutating func read(_ member: JSONMember, fields: inout JobFields) throws(InvalidInput) {
    let value = member.value
    switch member.key {
    case "steps": steps = try fields.steps(value)
    case "env": environment = try fields.environment(value, "\"env\"")
    case "timeout": timeout = try fields.duration(value, "\"timeout\"")
    case "maxAttempts": maxAttempts = try fields.count(value, "\"maxAttempts\"", in: 1...1000)
    case "stage": stageExclude = try fields.stageExclude(value)
    case "artifacts": artifacts = try fields.artifacts(value)
    case "cache": caches = try fields.caches(value)
    case "requireApproval": requiresApproval = try fields.flag(value, "\"requireApproval\"")
    default: fields.noteUnknown(member, among: JobDefinition.keys)
    }
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
