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
