import ArgumentParser
import Glibc
import Logging
import SystemPackage
import Volume
import Worker

/// The checked settings of a worker, for a dry run and for MQTT. Reads and writes nothing on the volume.
struct WorkerSetup {
  let identity: WorkerIdentity
  let jobs: FilePath
  let workspaces: FilePath
  var settings: WorkerSettings
  let lease: Duration
  let logger: Logger

  init(_ options: WorkOptions, _ log: LogOptions, _ environment: Environment) throws {
    identity = WorkerIdentity(id: try workerID(options.id, environment), version: workerVersion)
    let folders = try options.folders(environment)
    (jobs, workspaces) = (absolute(folders.jobs), absolute(folders.workspaces))
    lease = try options.leaseDuration(environment)
    logger = try log.logger(environment, worker: identity.id)
    var settings = try options.settings(environment)
    if let key = try VerifyKey(options, environment) {
      try key.apply(
        to: &settings, for: options.audience(of: identity.id, environment), apartFrom: [jobs, workspaces], logger)
    }
    self.settings = settings
    try checkFoldersAreApart()
  }

  /// A workspace inside the volume, or the volume inside the workspaces, would be staged or purged with a job.
  private func checkFoldersAreApart() throws {
    for (name, path) in [("jobs", jobs), ("workspaces", workspaces)] where path == "/" {
      throw Misconfiguration("the \(name) folder cannot be /")
    }
    guard !jobs.starts(with: workspaces), !workspaces.starts(with: jobs) else {
      throw Misconfiguration(
        "the jobs folder \(jobs) and the workspaces folder \(workspaces) must not be the same or lie in one another; "
          + "give another --workspaces-dir")
    }
  }

  /// Opens the local folder of the workspaces, and removes those of dead workers.
  func openWorkspaces() throws -> WorkspacesDirectory {
    do {
      let directory = try WorkspacesDirectory(workspaces)
      for left in try directory.purgeAbandoned() { logger.warning("\(left)") }
      return directory
    } catch {
      throw NoWorkspace(cause: error)
    }
  }
}

/// The absolute path, without links as far as it exists.
func absolute(_ path: FilePath) -> FilePath {
  var existing = workingDirectory().pushing(path).lexicallyNormalized()
  var missing: [FilePath.Component] = []
  while true {
    if let resolved = realpath(existing.string, nil) {
      defer { free(resolved) }
      let found = FilePath(platformString: resolved)
      return missing.isEmpty ? found : found.appending(missing.reversed())
    }
    guard let last = existing.lastComponent else { return existing.appending(missing.reversed()) }
    missing.append(last)
    existing.removeLastComponent()
  }
}

func workingDirectory() -> FilePath {
  guard let path = getcwd(nil, 0) else { return "/" }
  defer { free(path) }
  return FilePath(platformString: path)
}

/// Settings that contradict each other or the environment.
struct Misconfiguration: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// The workspaces folder cannot be used.
struct NoWorkspace: Error, CustomStringConvertible {
  let cause: VolumeError

  var description: String { "no workspace: \(cause)" }
}
