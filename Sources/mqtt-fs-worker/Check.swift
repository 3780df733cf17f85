import ArgumentParser
import JobWorker
import SystemPackage

/// `mqtt-fs-worker check <job folder>`: says what is wrong with a job before it is sent.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says what is wrong with a job folder before its id is sent; exit status 65 if something is.")

  @Argument(
    help: ArgumentHelp("The folder with job.json; its name is the job's id.", valueName: "job folder"),
    completion: .directory)
  var folder: String

  func run() throws {
    let check = JobCheck(FilePath(folder))
    for warning in check.warnings { print("warning: \(warning)") }
    for error in check.errors { print("error: \(error)") }
    guard check.errors.isEmpty else { throw ExitStatus.badPayload }
    if check.job?.definition.requiresApproval == true {
      print("each request for it waits until somebody approves it (requireApproval)")
    }
    print("\(folder): \(check.steps) step\(check.steps == 1 ? "" : "s"), nothing wrong")
  }
}
