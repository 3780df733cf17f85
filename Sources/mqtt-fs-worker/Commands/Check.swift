import ArgumentParser
import Client
import FileTree
import Jobs
import SystemPackage

/// `mqtt-fs-worker check <job folder>`: checks a job before it is sent.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks a job folder before its id is sent, and prints all its errors; exit status 65 if there are any.")

  @Argument(
    help: ArgumentHelp("The folder with job.json; its name is the job's id.", valueName: "job folder"),
    completion: .directory)
  var folder: String

  func run() throws {
    let check = JobCheck(FilePath(folder))
    for warning in check.warnings { try say("warning: \(warning)") }
    for error in check.errors { try say("error: \(error)") }
    let warnings = counted(check.warnings.count, "warning")
    guard check.errors.isEmpty else {
      let errors = counted(check.errors.count, "error")
      if !check.warnings.isEmpty {
        try say("\(folder): \(errors), \(warnings)")
      } else if check.errors.count > 1 {
        try say("\(folder): \(errors)")
      }
      throw ExitStatus.badPayload
    }
    if check.job?.definition.requiresApproval == true {
      try say("each request for it waits for approval (requireApproval)")
    }
    try say("\(folder): \(counted(check.steps, "step")), \(check.warnings.isEmpty ? "nothing wrong" : warnings)")
    try Output.write(Check.list(try check.staged(), "staged"))
  }

  /// A line for each file, with its size, under a line with their sum.
  static func list(_ files: [FileTree.Entry], _ what: String) -> String {
    let sum = files.reduce(0) { $0 &+ $1.size }
    return
      (["\(what): \(counted(files.count, "file")), \(bytesText(sum))"]
      + files.map { bytesText($0.size).padded(to: 12) + $0.path.description.escaped })
      .map { "\($0)\n" }.joined()
  }

  private func say(_ text: String) throws {
    try Output.write("\(text.onOneLine)\n")
  }
}
