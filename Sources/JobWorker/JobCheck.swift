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
    guard let real = realPath(folder) else {
      throw InvalidJob(description: "\(folder) does not exist")
    }
    // The name as a worker would meet it: it may be a link, and lead out of the jobs folder. "." and ".." are none.
    let isNamed = folder.lastComponent?.kind == .regular
    let above = isNamed ? realPath(folder.removingLastComponent().isEmpty ? "." : folder.removingLastComponent()) : nil
    guard let name = isNamed ? folder.lastComponent : real.lastComponent else {
      throw InvalidJob(
        description: "\(folder) is the root of the file system; give the job's folder below the jobs folder")
    }
    do {
      return (try JobID(name.string), above ?? real.removingLastComponent())
    } catch {
      throw InvalidJob(description: "the folder's name is the job's id: \(error)")
    }
  }
}
