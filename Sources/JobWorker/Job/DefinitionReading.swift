/// A job's definition, and which file it was read from.
struct DefinitionReading: Sendable {
  /// What the job consists of.
  var definition: JobDefinition
  /// The digest of the job.json, `sha256:<hex>`; `nil` when none was read, or what it says does not count.
  var digest: String?
}
