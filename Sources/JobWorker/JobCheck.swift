public import SystemPackage

/// What is wrong with a job folder, found before its id is sent.
public struct JobCheck: Sendable {
  /// Why a worker would refuse the job; each a sentence with line and column.
  public let errors: [String]
  /// What a worker would take and a person may not have meant.
  public let warnings: [String]
  /// How many steps it has.
  public let steps: Int

  /// Reads the folder's name and its job.json; nothing is run or written.
  public init(_ folder: FilePath) {
    do throws(InvalidJob) {
      let (id, parent) = try JobCheck.place(of: folder)
      let job = try JobFolder.open(id, in: JobsDirectory(parent))
      let definition = try job.definition()
      errors = []
      steps = definition.steps.count
      warnings =
        definition.unknownKeys.map { "\(folder)/job.json: the key \($0) means nothing here" }
        + definition.steps.enumerated().compactMap { index, step in
          guard let directory = step.workingDirectory, !job.hasFolder(directory) else { return nil }
          return "steps[\(index)]: workingDirectory \"\(directory)\" is not in the folder; an earlier step must make it"
        }
    } catch {
      errors = [error.description]
      warnings = []
      steps = 0
    }
  }

  static func place(of folder: FilePath) throws(InvalidJob) -> (JobID, FilePath) {
    guard let real = realPath(folder), let name = real.lastComponent else {
      throw InvalidJob(description: "\(folder) does not exist")
    }
    do {
      return (try JobID(name.string), real.removingLastComponent())
    } catch {
      throw InvalidJob(description: "the folder's name is the job's id: \(error)")
    }
  }
}
