import Jobs

/// What the steps of a job have handed on so far.
struct JobVariables: Sendable, Equatable {
  /// Variables for later steps, from `$JOB_ENV`.
  private(set) var environment: [String: String] = [:]
  /// The job's outputs, from `$JOB_OUTPUT`.
  private(set) var outputs: [String: String] = [:]

  /// Adds what a step wrote to a file of this kind; later values replace earlier ones. Throws ``VariableFault`` if there
  /// would be too many, and adds nothing then.
  mutating func add(_ values: [String: String], from kind: StepFiles.Kind) throws(VariableFault) {
    let all = (kind == .environment ? environment : outputs).merging(values) { _, new in new }
    guard all.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) <= VariableLines.largest else {
      throw VariableFault("the variables of all steps are more than \(VariableLines.largest) bytes (1 MiB)")
    }
    if kind == .environment { environment = all } else { outputs = all }
  }
}
