import Client
import Jobs
import Volume

/// The steps of a job that has no result yet, as far as its request and its job.json tell.
struct JobOutline {
  /// A name for each step: its own, or its command.
  let names: [String]

  /// The outline of `id`; empty if it cannot be read.
  ///
  /// Values of variables are masked in commands: a result has no secrets, but a job.json may.
  init(of id: JobID, in directory: JobsDirectory) {
    guard let definition = JobOutline.definition(of: id, in: directory) else {
      names = []
      return
    }
    names = definition.steps.prefix(1000).map { step in
      if let name = step.name { return name.cut(to: 200) }
      let secrets = (Array(definition.environment.values) + step.environment.values).filter { $0.utf8.count >= 4 }
      var command = step.run.cut(to: 4000)
      for secret in secrets.prefix(100) { command = command.masking(secret) }
      return command.cut(to: 400)
    }
  }

  private static func definition(of id: JobID, in directory: JobsDirectory) -> JobDefinition? {
    let folder = try? JobFolder.open(id, in: directory)
    // A signed request cannot be read without its key; then only job.json is known.
    let claim = try? JobRecords(directory).claims(of: id).last
    if let claim, let request = try? JobRequest(payload: Array(claim.envelope.payload.utf8)) {
      return try? request.definition { () throws(InvalidInput) in try folder?.readDefinition() }.definition
    }
    return try? folder?.definition()
  }
}

extension String {
  /// The text with `***` for each `secret`.
  fileprivate func masking(_ secret: String) -> String {
    var result = ""
    var rest = self[...]
    while let range = rest.firstRange(of: secret) {
      result += rest[..<range.lowerBound] + "***"
      rest = rest[range.upperBound...]
    }
    return result + rest
  }
}
