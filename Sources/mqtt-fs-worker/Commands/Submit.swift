import ArgumentParser
import Client
import FileTree
import Glibc
import Jobs
import MQTT
import Settings
import Signing
import SystemPackage
import Volume

/// `mqtt-fs-worker submit <folder>`: submits a job and follows it.
struct Submit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copies a job to the volume, sends its request, shows its output, and exits with its exit code.",
    discussion: """
      The job's output goes to stdout, byte for byte; messages go to stderr. Without a worker it waits for one. Ctrl-C \
      cancels the job, after asking; a second Ctrl-C leaves it running. Without a terminal TERM and INT cancel it at once.

      Exit status: the job's own; 65 it was rejected, 75 its workers died (try again), 124 timeout, 125 the worker failed, \
      130 canceled. If it was not sent: 64 usage, 65 the job is not valid, 69 no broker, 73 the id is taken, 74 the volume, \
      77 refused by the broker, 78 configuration.
      """)

  @Argument(help: ArgumentHelp("The folder with job.json.", valueName: "folder"), completion: .directory)
  var folder: String

  @Option(help: "The job's id. (default: the folder's name)")
  var id: String?

  @OptionGroup var changes: RequestChanges
  @OptionGroup var uploading: UploadChanges

  @Flag(help: "Run the finished job of this id again, as 'retry' does; nothing is copied.")
  var retry = false

  @Flag(help: "Print the files that would be copied, with their sizes, and send nothing.")
  var dryRun = false

  @Flag(
    help: "Without a common volume: send the steps of job.json in the request. The folder may have no other file.")
  var noVolume = false

  @OptionGroup var options: SendOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  func validate() throws {
    if uploading.replace, noVolume || retry {
      throw ValidationError("--replace copies the folder to the volume: leave out \(retry ? "--retry" : "--no-volume")")
    }
  }

  func run() async throws {
    let console = Console("submit")
    let place = try noVolume ? .elsewhere : Submission.Volume.common(options.volume.directory(.current))
    let source = try source(place)
    let job = try job(source, console)
    if uploading.newID { console.say("job \(job.id)") }
    if retry, differs(source) {
      console.say("job \(job.id) runs with its files on the volume, not with those in \(folder)")
    }
    let upload = try upload(job, source, place)
    if dryRun { return try list(source, upload) }
    let sending = Sending(options: options, broker: broker, log: log, place: place, console: console)
    try await sending.send(try request(job, of: source), steps: job.definition.steps, upload)
  }

  /// The folder of the job: the one that is given or, to run it again, that of its id on the volume.
  private func source(_ place: Submission.Volume) throws -> FilePath {
    guard retry else { return FilePath(folder) }
    guard case .common(let directory) = place else { throw ValidationError("--retry needs a common volume") }
    return try Retry.folder(of: JobID(id ?? FilePath(folder).lastComponent?.string ?? folder), in: directory)
  }

  /// Whether the folder that is given is another than the one that runs.
  private func differs(_ source: FilePath) -> Bool {
    var (given, running) = (stat(), stat())
    guard stat(folder, &given) == 0, stat(source.string, &running) == 0 else { return false }
    return given.st_ino != running.st_ino || given.st_dev != running.st_dev
  }

  /// Checks the folder's job. Errors are printed and end the program.
  private func job(_ source: FilePath, _ console: Console) throws -> (id: JobID, definition: JobDefinition) {
    let id = try id.map { try JobID($0) }
    let job = try JobCheck(copying: source, as: id, running: changes.steps).job(telling: console)
    return try uploading.newID ? (uploading.freshID(from: job.id), job.definition) : job
  }

  private func request(
    _ job: (id: JobID, definition: JobDefinition), of path: FilePath
  ) throws -> OutgoingRequest {
    var definition = job.definition
    try definition.environment.merge(changes.environment()) { $1 }
    let claims = options.claims(of: noVolume ? nil : path)
    let timeout = options.timeout?.duration
    return try options.sealed(
      noVolume
        ? OutgoingRequest(job.id, carrying: definition, of: path, timeout: timeout, claims: claims)
        : OutgoingRequest(
          job.id, steps: changes.steps, environment: changes.environment(), timeout: timeout, claims: claims))
  }

  /// The upload; `nil` if the folder is already in place, or there is no common volume.
  private func upload(
    _ job: (id: JobID, definition: JobDefinition), _ source: FilePath, _ place: Submission.Volume
  ) throws -> JobUpload? {
    guard case .common(let directory) = place else { return nil }
    let upload = JobUpload(
      source, as: job.id, to: directory, selecting: try selection(of: job.definition, source, directory),
      over: uploading.replace ? .replaced : .kept)
    guard upload.isInPlace else { return upload }
    guard uploading.exclude.isEmpty else {
      throw ValidationError(
        "--exclude decides what is copied, and \(source) is in place on the volume: put \"stage\": {\"exclude\": […]} into "
          + "its job.json")
    }
    return nil
  }

  /// What is copied. What is signed is copied whole: its digest is that of the folder.
  private func selection(
    of definition: JobDefinition, _ source: FilePath, _ directory: JobsDirectory
  ) throws -> Selection {
    let inner = JobUpload.jobsFolder(directory, in: source)
    if let inner, inner.bytes.isEmpty || options.signKey != nil {
      throw ValidationError(
        inner.bytes.isEmpty
          ? "\(source) is the jobs folder, not a job; name a folder with a job.json"
          : "the jobs folder \(directory.path) lies in \(source), and a signed folder is copied whole; move one of them"
      )
    }
    if options.signKey != nil {
      guard uploading.exclude.isEmpty else {
        throw ValidationError("--exclude cannot go with --sign-key, because the whole folder is signed")
      }
      return .all
    }
    // The copy would hold itself.
    return definition.uploadSelection(without: try uploading.patterns() + Patterns(paths: inner.map { [$0] } ?? []))
  }

  private func list(_ source: FilePath, _ upload: JobUpload?) throws {
    guard let upload else {
      return try Output.write(
        "nothing is copied\(noVolume ? " without a common volume" : ": the folder is in place on the volume")\n")
    }
    let descriptor = try FileDescriptor.open(source, .readOnly, options: [.directory, .closeOnExec])
    let files = try descriptor.closeAfter {
      try FileTree.files(
        in: descriptor, selecting: upload.selection, excluding: JobsDirectory.reserved)
    }
    try Output.write(Check.list(files, "copied"))
  }
}
