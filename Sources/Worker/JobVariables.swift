import Jobs
import Steps

/// What the steps of a job have handed on so far.
struct JobVariables: Sendable, Equatable {
  /// Variables for later steps, from `$JOB_ENV`.
  private(set) var environment: [String: String] = [:]
  /// The job's outputs, from `$JOB_OUTPUT`.
  private(set) var outputs: [String: String] = [:]
  /// Every value that a variable or an output with the name of a secret has had: one that is replaced is a secret all the
  /// same.
  private(set) var secrets: Set<String> = []

  /// Adds what a step wrote to a file of this kind; later values replace earlier ones. Throws ``VariableFault`` if there
  /// would be too many, and adds nothing then.
  mutating func add(
    _ lines: VariableLines, from kind: StepFiles.Kind, _ names: SecretNames
  ) throws(VariableFault) {
    let all = (kind == .environment ? environment : outputs).merging(lines.values) { _, new in new }
    guard all.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) <= VariableLines.largest else {
      throw VariableFault("the variables of all steps are more than \(VariableLines.largest) bytes (1 MiB)")
    }
    var known = secrets.union(names.secrets(in: lines.values).values)
    for (name, values) in lines.replaced where names.contains(name) { known.formUnion(values) }
    guard known.reduce(0, { $0 + $1.utf8.count }) <= VariableLines.largest else {
      throw VariableFault(
        "the secrets of all steps, with those that were replaced, are more than \(VariableLines.largest) bytes (1 MiB)")
    }
    secrets = known
    if kind == .environment { environment = all } else { outputs = all }
  }

  /// Remembers the secrets of a try whose variables do not count.
  mutating func remember(_ other: JobVariables) { secrets.formUnion(other.secrets) }
}
