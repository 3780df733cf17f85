package import FileTree
package import Jobs
import Signing
package import SystemPackage
import Volume

/// Checks a job folder before its id is sent.
package struct JobCheck: Sendable {
  /// All reasons why a worker would refuse the job, as sentences with line and column.
  package let errors: [String]
  /// Warnings about things that a worker accepts but the author may not have meant.
  package let warnings: [String]
  /// The number of steps.
  package let steps: Int
  private let folder: JobFolder?
  /// The job; `nil` if there are errors.
  package let job: (id: JobID, definition: JobDefinition)?

  /// Checks the folder as a worker would find it; runs and writes nothing.
  package init(_ folder: FilePath) {
    var faults: [InvalidInput] = []
    do throws(InvalidInput) {
      let (name, above) = try JobCheck.place(of: folder)
      var opened: JobFolder
      do throws(InvalidInput) {
        opened = try JobFolder.open(JobCheck.id(in: name), in: JobsDirectory(above))
      } catch {
        // The name is no id. Its job.json can still be read.
        guard (try? JobID(name.string)) == nil else { throw error }
        faults.append(error)
        opened = try JobFolder.open(folder, as: JobCheck.unnamed)
      }
      if let (name, entry) = EarlierResults(folder: opened).foreign.first, name == JobsDirectory.results {
        faults.append(
          InvalidInput(description: "\(folder)/\(name) \(EarlierResults.reason(entry)); rename or remove it"))
      }
      self.init(folder, opened, running: nil, faults)
    } catch {
      self.init(folder, nil, running: nil, faults.isEmpty ? [error] : faults)
    }
  }

  /// Checks a folder of which a worker will get a copy, under `id` or the folder's name. It may be a link to anywhere.
  /// With `steps` of the request it needs no job.json.
  package init(copying folder: FilePath, as id: JobID?, running steps: [Step]? = nil) {
    do throws(InvalidInput) {
      let (name, _) = try JobCheck.place(of: folder)
      guard let real = realPath(folder) else { throw InvalidInput(description: "\(folder) does not exist") }
      var faults: [InvalidInput] = []
      var copy = id
      do throws(InvalidInput) {
        if copy == nil { copy = try JobCheck.id(in: name) }
      } catch {
        faults.append(error)
      }
      self.init(folder, try JobFolder.open(real, as: copy ?? JobCheck.unnamed), running: steps, faults)
    } catch {
      self.init(folder, nil, running: steps, [error])
    }
  }

  /// Stands for an id in the check of a folder whose name is none.
  private static let unnamed: JobID = {
    guard let id = try? JobID("job") else { preconditionFailure("it is an id") }
    return id
  }()

  private init(_ folder: FilePath, _ opened: JobFolder?, running own: [Step]?, _ earlier: [InvalidInput]) {
    var (definition, faults) = (JobDefinition(steps: own ?? []), earlier)
    if let opened, own == nil || opened.hasDefinition {
      let reading = opened.examineDefinition()
      definition = reading.definition
      faults += reading.faults
    }
    if let own { definition.steps = own }
    errors = faults.map(\.description)
    job = faults.isEmpty ? opened.map { ($0.id, definition) } : nil
    self.folder = opened
    steps = definition.steps.count
    warnings = opened.map { JobCheck.warnings(of: definition, in: $0, folder) } ?? []
  }

  private static func warnings(of definition: JobDefinition, in opened: JobFolder, _ folder: FilePath) -> [String] {
    EarlierResults(folder: opened).foreign.map { name, entry in
      "\(folder)/\(name) \(EarlierResults.reason(entry)), so it is not copied"
    }
      + definition.unknownKeys.map { $0.warning(in: "\(folder)/job.json") }
      + definition.steps.enumerated().compactMap { index, step in
        guard let directory = step.workingDirectory, !opened.hasFolder(directory) else { return nil }
        return
          "steps[\(index)]: workingDirectory \(directory.quoted) is not in the folder; an earlier step must create it"
      } + JobCheck.surprises(in: definition)
  }

  /// The files that would be staged, in byte order of their paths. Throws `FileTreeError` if the folder cannot be read.
  package func staged() throws -> [FileTree.Entry] {
    guard let folder, let job else { return [] }
    return try FileTree.files(
      in: folder.descriptor, selecting: job.definition.stageSelection, excluding: JobsDirectory.reserved)
  }

  /// Warnings about variables that have no effect, and text that the shell reads in an unexpected way.
  private static func surprises(in definition: JobDefinition) -> [String] {
    let last = definition.steps.count - 1
    var warnings =
      unused(definition.environment, "\"env\"", inStep: last) + unexpanded(definition.environment, "\"env\"")
    for (index, step) in definition.steps.enumerated() {
      if step.run.utf8.contains(UInt8(ascii: "\r")) {
        warnings.append(
          "steps[\(index)]: the command has Windows line ends (CR LF), and the shell reads each CR as a part of its line; "
            + "save it with LF line ends")
      }
      warnings += unused(step.environment, "steps[\(index)]: \"env\"", inStep: index)
      warnings += unexpanded(step.environment, "steps[\(index)]: \"env\"")
    }
    return warnings
  }

  private static func unused(_ environment: [String: String], _ place: String, inStep index: Int) -> [String] {
    environment.keys.filter { JobDefinition.isFixed($0, inStep: index) }.sorted().map {
      "\(place): \($0) has no effect, because the worker sets it for steps; give the variable another name"
    }
  }

  private static func unexpanded(_ environment: [String: String], _ place: String) -> [String] {
    environment.filter { holdsVariable($0.value) }.keys.sorted().map {
      "\(place): the \"$\" in \($0.quoted) is not expanded, because no shell reads it; set the variable in the step instead"
    }
  }

  /// Whether a shell would expand a `$` in the text (POSIX, Shell Command Language, section 2.6).
  private static func holdsVariable(_ text: String) -> Bool {
    zip(text, text.dropFirst()).contains { first, next in
      first == "$" && ("{(_".contains(next) || ("a"..."z").contains(next) || ("A"..."Z").contains(next))
    }
  }

  /// The name of a folder as a worker would find it: it may be a link that leads out of the jobs folder. "." and ".."
  /// are resolved.
  static func place(of folder: FilePath) throws(InvalidInput) -> (name: FilePath.Component, above: FilePath) {
    guard !folder.isEmpty else {
      throw InvalidInput(description: "the folder's name is empty; name a folder with a job.json")
    }
    guard let real = realPath(folder) else { throw InvalidInput(description: "\(folder) does not exist") }
    let isNamed = folder.lastComponent?.kind == .regular
    let above = isNamed ? realPath(folder.removingLastComponent().isEmpty ? "." : folder.removingLastComponent()) : nil
    guard let name = isNamed ? folder.lastComponent : real.lastComponent else {
      throw InvalidInput(
        description: "\(folder) is the root of the file system; give the job's folder below the jobs folder")
    }
    return (name, above ?? real.removingLastComponent())
  }

  static func id(in name: FilePath.Component) throws(InvalidInput) -> JobID {
    do {
      return try JobID(name.string)
    } catch {
      throw InvalidInput(description: "the folder's name is the job's id: \(error)")
    }
  }
}

/// The digest of a job folder, by which a request fixes the content to run.
package struct JobSourceDigest: Sendable {
  /// The job: the folder's name.
  package let id: JobID
  /// `h1:<base64>`; see ``FileTree/digest(of:excluding:threads:)``. Without `results` and `results.previous`.
  package let digest: String

  /// Reads the folder. Throws ``InvalidInput`` if it is no folder, if a file in it cannot be read, or if its job.json
  /// is missing or invalid and the request has no steps of its own.
  package init(_ folder: FilePath, hasSteps: Bool) throws(InvalidInput) {
    let (name, parent) = try JobCheck.place(of: folder)
    let id = try JobCheck.id(in: name)
    let job = try JobFolder.open(id, in: JobsDirectory(parent))
    if !hasSteps { _ = try job.definition() }
    self.id = id
    do throws(FileTreeError) {
      digest = try FileTree.digest(of: job.descriptor, excluding: JobsDirectory.reserved)
    } catch {
      throw InvalidInput(id: id, description: "\(folder): \(error)")
    }
  }
}

/// The content of a request that waits for approval.
package struct Proposal: Sendable {
  /// The request. Its signature is not verified.
  package let request: JobRequest
  /// The definition that would run.
  package let definition: JobDefinition
  /// The digest of its job.json, if it comes from one.
  package let definitionDigest: String?
}

extension ParkedRequest {
  /// The request with the current content of the job's folder. Throws ``InvalidInput`` if a worker would refuse it. A
  /// request with its own steps has no folder yet.
  package func proposal() throws(InvalidInput) -> Proposal {
    let request = try RequestReader.unverified(Array(envelope.payload.utf8))
    guard request.id == id else {
      throw InvalidInput(
        id: id, description: "the request that waits for approval as job \(id) names job \(request.id)")
    }
    if request.source == nil, let own = JobDefinition(request: request), !directory.exists(id) {
      return Proposal(request: request, definition: own, definitionDigest: nil)
    }
    let plan = try JobPlan(request, try JobFolder.open(id, in: directory))
    return Proposal(request: request, definition: plan.definition, definitionDigest: plan.definitionDigest)
  }
}
