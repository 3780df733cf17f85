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

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp(
      "End the job if it takes longer; withdraw it if no worker has taken it within this time.",
      valueName: "duration"))
  var timeout: Timespan?

  @OptionGroup var changes: SubmitChanges

  @Flag(help: "Run the finished job of this id again with the files that are on the volume; nothing is copied.")
  var retry = false

  @Flag(help: "Print the files that would be copied, with their sizes, and send nothing.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "Exit when the broker has the request; prints the id.")
  var detach = false

  @Flag(help: "Print the result message on stdout; the job's output goes to stderr.")
  var json = false

  @Flag(
    help: "Without a common volume: send the steps of job.json in the request. The folder may have no other file.")
  var noVolume = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The topic of requests. (MQTT_TOPIC, of several the last, least urgent one; default: jobs/pending)",
      valueName: "topic"))
  var topic: String?

  @Option(
    help: ArgumentHelp(
      "Sign the request with this key, for workers with --verify-key; see 'sign'.", valueName: "file"),
    completion: .file())
  var signKey: String?

  @OptionGroup var signing: SigningOptions
  @OptionGroup var volume: VolumeOptions
  @OptionGroup var topics: TopicOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  func run() async throws {
    let environment = Environment.current
    let console = Console("submit")
    let place = try noVolume ? .elsewhere : Submission.Volume.common(volume.directory(environment))
    let source = try source(place)
    let job = try job(source, console)
    if changes.newID { console.say("job \(job.id)") }
    let upload = try upload(job, source, place)
    if dryRun { return try list(source, upload) }
    let requests = try requestTopic(topic, environment)
    let topics = try topics.topics(environment)
    let version = try broker.version(environment)
    let request = try request(job, of: source)
    let interrupts = Interrupts()

    try await broker.withClient("submit", environment, logger: log.logger(environment), keptFor: 300, persisting: true)
    {
      client in
      if let upload {
        try await copy(upload, console, interrupts)
      }
      let submission = Submission(
        request, topic: requests, topics: topics, over: client, version: version, volume: place)
      let run = SubmitRun(
        submission: submission, upload: upload, request: request, steps: job.definition.steps, console: console,
        output: json ? .result : .logs, timeout: timeout?.duration)
      try await detach ? run.send() : run.follow(interrupts)
    }
  }

  /// The folder of the job: the one that is given or, to run it again, that of its id on the volume.
  private func source(_ place: Submission.Volume) throws -> FilePath {
    guard retry else { return FilePath(folder) }
    guard case .common(let directory) = place else { throw ValidationError("--retry needs a common volume") }
    let id = try JobID(id ?? FilePath(folder).lastComponent?.string ?? folder)
    let job = try JobFolder.open(id, in: directory)
    guard try job.storedResult() != nil else {
      throw InvalidInput(
        id: id,
        description: "job \(id) has no result: it runs, waits, or was never sent; see 'mqtt-fs-worker status \(id)'")
    }
    return job.path
  }

  /// Checks the folder's job. Errors are printed and end the program.
  private func job(_ source: FilePath, _ console: Console) throws -> (id: JobID, definition: JobDefinition) {
    let id = try id.map { try JobID($0) }
    let check = JobCheck(copying: source, as: id, running: changes.steps)
    for warning in check.warnings { console.say("warning: \(warning)") }
    guard let job = check.job else {
      for error in check.errors { console.say(error) }
      throw ExitStatus.badPayload
    }
    return try changes.newID ? (changes.freshID(from: job.id), job.definition) : job
  }

  private func request(
    _ job: (id: JobID, definition: JobDefinition), of path: FilePath
  ) throws -> OutgoingRequest {
    var definition = job.definition
    try definition.environment.merge(changes.environment()) { $1 }
    let claims = signKey.map { _ in
      OutgoingRequest.Claims(
        expires: signing.expires.duration, audience: signing.aud, folder: noVolume ? nil : path)
    }
    let request =
      try noVolume
      ? OutgoingRequest(job.id, carrying: definition, of: path, timeout: timeout?.duration, claims: claims)
      : OutgoingRequest(
        job.id, steps: changes.steps, environment: changes.environment(), timeout: timeout?.duration, claims: claims)
    guard let signKey else { return request }
    let key = try signing.key(in: KeyFile(FilePath(signKey)))
    return try request.sealed { try key.sign($0) }
  }

  /// The upload; `nil` if the folder is already in place, or there is no common volume.
  private func upload(
    _ job: (id: JobID, definition: JobDefinition), _ source: FilePath, _ place: Submission.Volume
  ) throws -> JobUpload? {
    guard case .common(let directory) = place else { return nil }
    let upload = JobUpload(
      source, as: job.id, to: directory, selecting: try selection(of: job.definition, source, directory))
    guard upload.isInPlace else { return upload }
    guard changes.exclude.isEmpty else {
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
    if let inner, inner.bytes.isEmpty || signKey != nil {
      throw ValidationError(
        inner.bytes.isEmpty
          ? "\(source) is the jobs folder, not a job; name a folder with a job.json"
          : "the jobs folder \(directory.path) lies in \(source), and a signed folder is copied whole; move one of them"
      )
    }
    if signKey != nil {
      guard changes.exclude.isEmpty else {
        throw ValidationError("--exclude cannot go with --sign-key, because the whole folder is signed")
      }
      return .all
    }
    // The copy would hold itself.
    return definition.uploadSelection(without: try changes.patterns() + Patterns(paths: inner.map { [$0] } ?? []))
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

  private func copy(_ upload: JobUpload, _ console: Console, _ interrupts: Interrupts) async throws {
    let skipped = try await interrupts.handled {
      // The copy may still write: the next upload from this host removes the rest.
      try? upload.discard()
      Glibc.exit(ExitStatus.interrupted.rawValue)
    } during: {
      try await upload.run { progress in
        guard ProgressLine.isWanted, progress.elapsed > .seconds(1) else { return }
        ProgressLine.show(ProgressLine.text("copying job \(upload.id)", progress))
      }
    }
    ProgressLine.clear()
    for entry in skipped { console.say("warning: \(entry.path) is left out: \(entry.reason.rawValue)") }
  }
}
