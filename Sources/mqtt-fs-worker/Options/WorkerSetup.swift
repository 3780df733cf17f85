import ArgumentParser
import Jobs
import Logging
import Settings
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
  /// Which signals let a job come to its end.
  let finishing: Signals.Finishing
  let logger: Logger

  init(_ options: WorkOptions, _ log: LogOptions, _ environment: Environment) throws {
    identity = WorkerIdentity(id: try workerID(options.id, environment), version: programVersion)
    jobs = absolute(options.volume.folder(environment))
    workspaces = absolute(options.workspaces.folder(environment))
    lease = try options.leaseDuration(environment)
    finishing = try options.finishing(environment)
    logger = try log.logger(environment, worker: identity.id)
    var settings = try options.settings(environment)
    settings.caches = try options.caches.directory(environment, workspaces: workspaces)
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
      throw Misconfiguration("the \(name) folder cannot be /: give another --\(name)-dir")
    }
    guard !jobs.starts(with: workspaces), !workspaces.starts(with: jobs) else {
      throw Misconfiguration(
        "the jobs folder \(jobs) and the workspaces folder \(workspaces) must not be the same, and neither may be inside the other; "
          + "give another --workspaces-dir")
    }
    if let caches = settings.caches?.path, caches.starts(with: jobs) || jobs.starts(with: caches) {
      throw Misconfiguration(
        "the cache folder \(caches) and the jobs folder \(jobs) must not be inside each other; give another --cache-dir"
      )
    }
  }

  /// Opens the local folder of the workspaces, and removes those of dead workers.
  func openWorkspaces() throws(NoWorkspace) -> WorkspacesDirectory {
    try onThisHost {
      let directory = try WorkspacesDirectory(workspaces)
      for left in try directory.purgeAbandoned() { logger.warning("\(left)") }
      return directory
    }
  }

  /// Makes and removes a file in `workspaces`. A signal must not end the process meanwhile: the file would stay.
  func tryOut(_ workspaces: WorkspacesDirectory) throws(NoWorkspace) {
    try onThisHost { try workspaces.tryOut() }
  }

  /// Runs `body`, whose errors are this host's fault, and no job's.
  private func onThisHost<T>(_ body: () throws -> T) throws(NoWorkspace) -> T {
    do { return try body() } catch { throw NoWorkspace(cause: error) }
  }
}

/// Settings that contradict each other or the environment.
struct Misconfiguration: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
