import ArgumentParser
import Client
import FileTree
import FoundationEssentials
import Glibc
import Jobs
import Logging
import Settings
import Steps
import Synchronization
import SystemPackage
import Volume
import Worker

/// `mqtt-fs-worker run <folder>`: runs a job here, without a broker and without workers.
struct Run: ParsableCommand, GuardedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a job folder on this machine, with its output, and exits with the job's exit code.",
    discussion: """
      The folder is copied to a temporary place, and its steps run there as a worker would run them: it stays as it is. \
      Nothing is sent, and approvals and keys do not count. Ctrl-C ends the job.

      Exit status: as that of 'submit'.
      """)

  @Argument(help: ArgumentHelp("The folder with job.json.", valueName: "folder"), completion: .directory)
  var folder: String

  @OptionGroup var changes: RequestChanges

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("End the job if it takes longer.", valueName: "duration"))
  var timeout: Timespan?

  @Flag(help: "Keep the results, which are logs and changed files, and print their folder.")
  var keep = false

  @OptionGroup(title: "Log") var log: LogOptions

  var isPersonal: Bool { true }

  func run(guardedBy guardian: Guardian) async throws {
    defer { guardian.dismiss() }
    try ProcessTree.adoptOrphans()
    let console = Console("run")
    let source = FilePath(folder)
    let job = try JobCheck(copying: source, as: nil, running: changes.steps).job(telling: console)
    let place = try TemporaryPlace()
    let stop = StopRequest()
    var logger = try log.logger(.current)
    // The command tells the same itself.
    if log.logLevel == nil { logger.logLevel = .error }
    let settings = try settings(guardian)
    Signals.stop(stop, logger, grace: settings.grace)
    let result: ResultMessage
    do {
      result = try await run(source, job, in: place, settings, stop, logger, console)
    } catch {
      place.leave(nil, console)
      if let error = error as? NoWorkspace { throw TemporaryPlace.unusable(error.cause) }
      throw error
    }
    place.leave(keep ? job.id : nil, console)
    throw ExitStatus(result)
  }

  private func settings(_ guardian: Guardian) throws -> WorkerSettings {
    var settings = WorkerSettings()
    settings.guardian = guardian
    settings.timeout = timeout?.duration
    settings.logRelaying = .on
    settings.environment = StepEnvironment(hiding: [VerifyKey.variable])
    if ProgressLine.isWanted {
      settings.onProgress = { progress in
        guard let progress else { return ProgressLine.clear() }
        let doing = progress.phase == .stage ? "staging" : "bringing files back"
        ProgressLine.show(ProgressLine.text(doing, progress.copy, progress.total))
      }
    }
    return settings
  }

  private func run(
    _ folder: FilePath, _ job: (id: JobID, definition: JobDefinition), in place: TemporaryPlace,
    _ settings: WorkerSettings, _ stop: StopRequest, _ logger: Logger, _ console: Console
  ) async throws -> ResultMessage {
    let directory = JobsDirectory(place.jobs)
    let upload = JobUpload(folder, as: job.id, to: directory, selecting: job.definition.uploadSelection(without: .none))
    let skipped = try await upload.run(isCanceled: { stop.level > .none }) { _, _ in }.skipped
    console.tell(ofSkipped: skipped)
    let outgoing = try OutgoingRequest(job.id, steps: changes.steps, environment: changes.environment())
    let payload = outgoing.payload
    let identity = WorkerIdentity(id: try workerID("run", Environment(variables: [:])), version: programVersion)
    let ledger = try Ledger(directory, worker: identity, filters: [], lease: .seconds(30))
    let titles = job.definition.steps.map(\.title)
    let printing = Printing(console, afterFailure: "the job runs to its end")
    let answer = Mutex<ResultMessage?>(nil)
    let source = DryRunSource(try JobRequest(payload: payload), payload) { output in
      await printing.put(output.bytes)
    } tell: { event in
      guard event.event == .stepStarted, let step = event.step else { return }
      console.show(stepHeading(step, of: titles.count, titles.indices.contains(step) ? titles[step] : nil))
    } answer: { result in
      answer.withLock { $0 = result }
    }
    let worker = Worker(
      ledger: ledger, workspaces: try WorkspacesDirectory(place.workspaces), source: source,
      state: WorkerState(ledger, stop: stop, logger: logger), settings: settings, stop: stop, logger: logger)
    _ = try await worker.run()
    guard let result = answer.withLock(\.self) else {
      throw stop.isShutdown ? ExitStatus.interrupted : ExitStatus.defect
    }
    console.tell(result, of: job.id)
    // The failure of a job is more important.
    if let failure = printing.failure, ExitStatus(result).rawValue == 0 { throw ExitStatus(failure) }
    return result
  }
}

/// A folder of this run alone, with a volume and a place for workspaces.
private struct TemporaryPlace {
  static func unusable(_ cause: any Error) -> NoWorkspace { NoWorkspace(cause: cause, setting: "TMPDIR") }

  private let root: FilePath
  var jobs: FilePath { root.appending("jobs") }
  var workspaces: FilePath { root.appending("workspaces") }

  init() throws {
    let parent = Environment.current["TMPDIR"] ?? "/tmp"
    var name = Array("\(parent)/mqtt-fs-worker-XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else {
      throw Self.unusable(VolumeError("creating a folder in", FilePath(parent), Errno(rawValue: errno)))
    }
    root = FilePath(platformString: name)
    for folder in [jobs, workspaces] {
      try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: false)
    }
  }

  /// Removes all of it, except for the results of a job that is kept.
  func leave(_ kept: JobID?, _ console: Console) {
    var doomed = [root]
    if let kept {
      let results = jobs.appending(kept.text).appending(JobsDirectory.results)
      console.say("the results are in \(results)")
      doomed = [workspaces, jobs.appending(".worker")]
    }
    for folder in doomed {
      let parent = folder.removingLastComponent()
      guard let open = try? FileDescriptor.open(parent, .readOnly, options: [.directory, .closeOnExec]) else {
        continue
      }
      defer { try? open.close() }
      do {
        try FileTree.remove(folder.lastComponent?.string ?? "", in: open)
      } catch {
        console.say("warning: \(folder) cannot be removed: \(error)")
      }
    }
  }
}
