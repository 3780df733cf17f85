import Glibc
package import SystemPackage

/// The environment of steps: the worker's own, without variables that a job must not see, plus documented ones.
package struct StepEnvironment: Sendable {
  /// The variable that identifies processes of a job wherever they are: its value is unique to the job.
  package static let markerName = "JOB_WORKSPACE"

  /// The variables that steps inherit from the worker.
  package let inherited: [String: String]

  /// Takes `inherited` without `MQTT_*`, the names in `hiding`, and invalid names (POSIX: a name does not begin with a
  /// digit).
  package init(inherited: [String: String] = StepEnvironment.inherited(), hiding: Set<String> = []) {
    self.inherited = inherited.filter { name, _ in
      guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
      return !name.hasPrefix("MQTT_") && !hiding.contains(name)
    }
  }

  /// This process's current environment. Bytes that are not UTF-8 are repaired; see ``entry(_:_:)``.
  package static func inherited() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let sign = text.firstIndex(of: "=") {
        variables[String(text[..<sign])] = String(text[text.index(after: sign)...])
      }
      next += 1
    }
    return variables
  }

  /// `name=value` in memory that the caller frees. A value that was inherited has its own bytes again, even those that are
  /// not UTF-8.
  static func entry(_ name: String, _ value: String) -> UnsafeMutablePointer<CChar>? {
    guard value.unicodeScalars.contains("\u{FFFD}"), let own = getenv(name), String(cString: own) == value else {
      return strdup("\(name)=\(value)")
    }
    return strdup(Array("\(name)=".utf8CString.dropLast()) + UnsafeBufferPointer(start: own, count: strlen(own) + 1))
  }

  /// The facts about a job that its steps may rely on. A job cannot set these names itself: controllers read them in
  /// logs, and the worker recognises the job's processes by one of them.
  package struct Facts: Sendable {
    /// `JOB_ID`.
    package var jobID: String
    /// `JOB_ATTEMPT`, from 1.
    package var attempt: Int
    /// `JOB_WORKSPACE`, absolute.
    package var workspace: FilePath
    /// `JOB_RESULTS_DIR`, absolute.
    package var results: FilePath
    /// `WORKER_ID`.
    package var workerID: String
    /// `JOB_STATUS`: what the job's status would be if it ended now.
    package var status: String
    /// `STEP_<index>_STATUS` of each step before.
    package var earlier: [String]

    /// Creates the facts, each as the value of its variable.
    package init(
      jobID: String, attempt: Int, workspace: FilePath, results: FilePath, workerID: String, status: String = "success",
      earlier: [String] = []
    ) {
      self.jobID = jobID
      self.attempt = attempt
      self.workspace = workspace
      self.results = results
      self.workerID = workerID
      self.status = status
      self.earlier = earlier
    }
  }

  /// The places outside of the workspace that a step may write to.
  package struct Places: Sendable {
    /// `TMPDIR`, unless the job sets it.
    package var temporary: FilePath
    /// `JOB_ENV`: variables for later steps.
    package var environment: FilePath
    /// `JOB_OUTPUT`: the job's outputs.
    package var output: FilePath

    package init(temporary: FilePath, environment: FilePath, output: FilePath) {
      self.temporary = temporary
      self.environment = environment
      self.output = output
    }
  }

  /// The complete environment of one step; later sources win: worker, `CI=true`, `TMPDIR`, job, variables that earlier
  /// steps handed on, step, facts.
  package func variables(
    _ facts: Facts, stepIndex: Int, job: [String: String], handedOn: [String: String] = [:], step: [String: String],
    places: Places? = nil
  ) -> [String: String] {
    var variables = inherited
    variables["CI"] = "true"
    if let places { variables["TMPDIR"] = places.temporary.string }
    variables.merge(job) { _, new in new }
    variables.merge(handedOn) { _, new in new }
    variables.merge(step) { _, new in new }
    variables["JOB_ID"] = facts.jobID
    variables["JOB_ATTEMPT"] = String(facts.attempt)
    variables[Self.markerName] = facts.workspace.string
    variables["JOB_RESULTS_DIR"] = facts.results.string
    variables["STEP_INDEX"] = String(stepIndex)
    variables["WORKER_ID"] = facts.workerID
    variables["JOB_STATUS"] = facts.status
    for (index, status) in facts.earlier.enumerated() { variables["STEP_\(index)_STATUS"] = status }
    if let places {
      variables["JOB_ENV"] = places.environment.string
      variables["JOB_OUTPUT"] = places.output.string
    }
    return variables
  }

  /// Whether only the worker gives the variable `name` to steps: no step can hand it on.
  package static func isOwn(_ name: String) -> Bool {
    name.hasPrefix("JOB_") || name.hasPrefix("MQTT_") || ["STEP_INDEX", "WORKER_ID"].contains(name)
      || name.hasPrefix("STEP_") && name.hasSuffix("_STATUS")
  }
}

/// Decides which environment variables hold secrets: those that a user names, and those with a typical name.
package struct SecretNames: Sendable {
  /// A name that is one of these, or ends with `_` and one of these, in any case, denotes a secret.
  static let endings = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"]
  private static let suffixes = endings.map { "_\($0)" }
  /// Well-known names that end so without `_`.
  static let wellKnown: Set<String> = ["PGPASSWORD", "MYSQL_PWD"]

  private let named: Set<String>

  /// Adds `named` to the usual names.
  package init(_ named: some Sequence<String> = []) {
    self.named = Set(named)
  }

  /// Whether the variable `name` holds a secret.
  package func contains(_ name: String) -> Bool {
    if named.contains(name) || SecretNames.wellKnown.contains(name) { return true }
    let upper = name.uppercased()
    return SecretNames.endings.contains(upper) || SecretNames.suffixes.contains { upper.hasSuffix($0) }
  }

  /// The secrets among `variables`, by name.
  package func secrets(in variables: [String: String]) -> [String: String] {
    variables.filter { contains($0.key) && !$0.value.isEmpty }
  }
}
