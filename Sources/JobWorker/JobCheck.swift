public import SystemPackage

/// What is wrong with a job folder, found before its id is sent.
public struct JobCheck: Sendable {
  /// Why a worker would refuse the job; each a sentence with line and column.
  public let errors: [String]
  /// What a worker would take and a person may not have meant.
  public let warnings: [String]
  /// How many steps it has.
  public let steps: Int
  /// The job as its folder defines it; `nil` when there are errors.
  public let job: (id: JobID, definition: JobDefinition)?

  /// Reads the folder's name, unless it is to be sent under another `id`, and its job.json; nothing is run or written.
  public init(_ folder: FilePath, as id: JobID? = nil) {
    do throws(InvalidJob) {
      let (name, parent) = try JobCheck.place(of: folder)
      let id = if let id { id } else { try JobCheck.id(in: name) }
      let opened = try JobFolder.open(parent.appending(name), as: id, in: JobsDirectory(parent))
      let definition = try opened.definition()
      job = (id, definition)
      errors = []
      steps = definition.steps.count
      warnings =
        definition.unknownKeys.map { "\(folder)/job.json: the key \($0) means nothing here" }
        + definition.steps.enumerated().compactMap { index, step in
          guard let directory = step.workingDirectory, !opened.hasFolder(directory) else { return nil }
          return "steps[\(index)]: workingDirectory \"\(directory)\" is not in the folder; an earlier step must make it"
        }
    } catch {
      job = nil
      errors = [error.description]
      warnings = []
      steps = 0
    }
  }

  private static func place(of folder: FilePath) throws(InvalidJob) -> (FilePath.Component, FilePath) {
    guard let real = realPath(folder), let name = real.lastComponent else {
      throw InvalidJob(description: "\(folder) does not exist")
    }
    return (name, real.removingLastComponent())
  }

  private static func id(in name: FilePath.Component) throws(InvalidJob) -> JobID {
    do {
      return try JobID(name.string)
    } catch {
      throw InvalidJob(description: "the folder's name is the job's id: \(error)")
    }
  }
}
