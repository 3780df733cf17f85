import ArgumentParser
import FileTree
import Glibc
import Jobs
import Settings

/// What a request changes of its job, for one run.
struct RequestChanges: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A variable for all steps; without a value it has that of the environment. May be repeated.",
      valueName: "name[=value]"))
  var env: [String] = []

  @Option(help: ArgumentHelp("Run this command instead of the job's steps; may be repeated.", valueName: "command"))
  var step: [String] = []

  /// The steps of `--step`; `nil` for those of the job.
  var steps: [Step]? { step.isEmpty ? nil : step.map { Step(run: $0) } }

  func validate() throws {
    _ = try environment()
    guard !step.contains("") else { throw ValidationError("--step is empty; give a command") }
  }

  func environment() throws -> [String: String] {
    var variables: [String: String] = [:]
    for text in env {
      let sign = text.firstIndex(of: "=")
      let name = String(text[..<(sign ?? text.endIndex)])
      guard !name.isEmpty else { throw ValidationError("--env '\(text)' is not NAME=value or NAME") }
      if let fault = VariableLines.fault(ofName: name) {
        throw ValidationError("--env: \(name.quoted) cannot name a variable: it \(fault)")
      }
      if let sign {
        variables[name] = String(text[text.index(after: sign)...])
      } else if let value = Environment.current.variables[name] {
        guard getenv(name).map({ String(validatingCString: $0) != nil }) ?? true else {
          throw ValidationError("--env \(name): its value in the environment is not UTF-8, and a request is JSON")
        }
        variables[name] = value
      } else {
        throw ValidationError("--env \(name): the environment has no such variable; give --env \(name)=value")
      }
    }
    return variables
  }
}

/// What `submit` makes of a folder on the volume.
struct UploadChanges: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Do not copy what matches, as in .gitignore, besides stage.exclude of job.json; may be repeated.",
      valueName: "pattern"))
  var exclude: [String] = []

  @Flag(name: .customLong("new-id"), help: "Give the job a fresh id, the usual one and a random end, and print it.")
  var newID = false

  @Flag(
    help:
      "Put the folder in the place of the job of this id on the volume, whose results stay; not while a worker has it.")
  var replace = false

  func validate() throws {
    _ = try patterns()
    if newID, replace {
      throw ValidationError("--new-id and --replace exclude each other: a fresh id replaces nothing")
    }
  }

  func patterns() throws -> Patterns {
    do {
      return try Patterns(exclude)
    } catch {
      throw ValidationError("--exclude: \(error)")
    }
  }

  /// An id that no other job has.
  func freshID(from id: JobID) throws -> JobID {
    let end = String(UInt64.random(in: 1 << 40..<1 << 50), radix: 36)
    return try JobID("\(id.text.prefix(128 - end.count - 1))-\(end)")
  }
}
