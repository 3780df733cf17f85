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

  /// This process's current environment. Bytes that are not UTF-8 are repaired.
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

    /// Creates the facts, each as the value of its variable.
    package init(jobID: String, attempt: Int, workspace: FilePath, results: FilePath, workerID: String) {
      self.jobID = jobID
      self.attempt = attempt
      self.workspace = workspace
      self.results = results
      self.workerID = workerID
    }
  }

  /// The complete environment of one step; later sources win: worker, `CI=true`, job, step, facts.
  package func variables(_ facts: Facts, stepIndex: Int, job: [String: String], step: [String: String]) -> [String:
    String]
  {
    var variables = inherited
    variables["CI"] = "true"
    variables.merge(job) { _, new in new }
    variables.merge(step) { _, new in new }
    variables["JOB_ID"] = facts.jobID
    variables["JOB_ATTEMPT"] = String(facts.attempt)
    variables[Self.markerName] = facts.workspace.string
    variables["JOB_RESULTS_DIR"] = facts.results.string
    variables["STEP_INDEX"] = String(stepIndex)
    variables["WORKER_ID"] = facts.workerID
    return variables
  }
}
