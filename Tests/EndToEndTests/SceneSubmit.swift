import Foundation
import SystemPackage
import TestSupport

/// A person's actions with a job folder in a scene.
extension Scene {
  /// Writes a job folder that is not on the volume.
  func folder(_ name: String, _ definition: JSON, _ files: [String: String] = [:]) throws -> FilePath {
    let folder = self.files.appending("folders").appending(name)
    for (path, text) in files { try write(text, folder.pushing(FilePath(path))) }
    try write(definition.text, folder.appending("job.json"))
    return folder
  }

  /// Starts `submit` for a folder, with the scene's volume.
  func submit(
    _ folder: FilePath, _ arguments: [String] = [], environment extra: [String: String] = [:]
  ) throws -> ChildProcess {
    try client(["submit", folder.string, "-j", jobs.string] + arguments, environment: extra)
  }

  /// Starts a command other than a worker.
  func client(_ arguments: [String], environment extra: [String: String] = [:]) throws -> ChildProcess {
    let environment = environment.merging(["MQTT_URL": broker.url]) { $1 }.merging(extra) { $1 }
    return try start(WorkerProcess.executable, arguments, environment: environment, name: arguments[0])
  }

  /// A step that waits until the test calls ``release()``.
  var held: JSON { "until [ -e \(files)/released ]; do sleep 0.02; done" }

  /// Ends ``held`` steps.
  func release() throws {
    try write("", files.appending("released"))
  }
}

extension ChildProcess {
  /// Waits until its stdout is exactly this.
  func prints(_ text: String) async throws {
    do {
      try await eventually("'\(text)' on stdout") { output == text }
    } catch let error as WaitedInVain {
      throw WaitedInVain("\(error); it wrote '\(output)', and to stderr:\n\(errors)")
    }
  }

  /// Waits until its stderr contains this.
  func says(_ text: String) async throws {
    do {
      try await eventually("'\(text)' on stderr") { errors.contains(text) }
    } catch let error as WaitedInVain {
      throw WaitedInVain("\(error); it wrote:\n\(errors)")
    }
  }
}
