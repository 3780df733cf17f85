import ArgumentParser
import Client
import FileTree
import Glibc
import Jobs
import MQTT
import Settings
import Signing
import Synchronization
import SystemPackage
import Volume
import Worker

/// The options of the commands that send a request.
struct SendOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp(
      "End the job if it takes longer; withdraw it if no worker has taken it within this time.",
      valueName: "duration"))
  var timeout: Timespan?

  @Flag(name: .shortAndLong, help: "Exit when the broker has the request; prints the id.")
  var detach = false

  @Flag(help: "Print the result message on stdout; the job's output goes to stderr.")
  var json = false

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

  /// What a signed request says besides the job; `nil` without a key. The request is valid only for the content of
  /// `folder`.
  func claims(of folder: FilePath?) -> OutgoingRequest.Claims? {
    signKey.map { _ in
      OutgoingRequest.Claims(expires: signing.lifetime, audience: signing.aud, folder: folder)
    }
  }

  /// The request with its signature, if there is a key.
  func sealed(_ request: OutgoingRequest) throws -> OutgoingRequest {
    guard let signKey else { return request }
    let key = try signing.key(in: KeyFile(FilePath(signKey)))
    return try request.sealed { try key.sign($0) }
  }
}

/// Sends a request and follows its job, for `submit` and `retry`.
struct Sending {
  let options: SendOptions
  let broker: BrokerOptions
  let log: LogOptions
  let place: Submission.Volume
  let console: Console

  /// Copies `upload`, if there is one, and sends the request. Throws the ``ExitStatus`` of the job's result.
  func send(_ request: OutgoingRequest, steps: [Step], _ upload: JobUpload? = nil) async throws {
    let environment = Environment.current
    let requests = try requestTopic(options.topic, environment)
    let topics = try options.topics.topics(environment)
    let version = try broker.version(environment)
    let interrupts = Interrupts()
    var isConnected = false
    defer { if !isConnected { console.say("nothing of job \(request.id) is sent or copied") } }
    try await broker.withClient(
      console.command, environment, logger: log.logger(environment), keptFor: 300, persisting: true,
      giveUpAfter: options.timeout?.duration
    ) { client in
      isConnected = true
      var upload = upload
      if let copy = upload {
        // What was in its place is gone, so it cannot be withdrawn.
        if try await self.copy(copy, interrupts) == .replaced { upload = nil }
      }
      let submission = Submission(
        request, topic: requests, topics: topics, over: client, version: version, volume: place)
      let run = SubmitRun(
        submission: submission, upload: upload, request: request, steps: steps, console: console,
        output: options.json ? .result : .logs, timeout: options.timeout?.duration,
        readsVolume: readsVolume)
      try await options.detach ? run.send() : run.follow(interrupts)
    }
  }

  private var readsVolume: Bool { if case .common = place { true } else { false } }

  /// Copies the folder. An interrupt ends the copy, and nothing of it stays; a second one does not wait for that.
  private func copy(_ upload: JobUpload, _ interrupts: Interrupts) async throws -> JobUpload.Place {
    let isCanceled = Canceled()
    let outcome: JobUpload.Outcome
    do {
      outcome = try await interrupts.handled { [console] in
        console.endLine()
        guard !isCanceled.flag.exchange(true, ordering: .relaxed) else {
          console.say("leaving; the next submit from this host removes what is copied of job \(upload.id)")
          Glibc.exit(ExitStatus.interrupted.rawValue)
        }
      } during: {
        try await upload.run(isCanceled: { isCanceled.flag.load(ordering: .relaxed) }) { progress, total in
          guard ProgressLine.isWanted, progress.elapsed > .seconds(1) else { return }
          ProgressLine.show(ProgressLine.text("copying job \(upload.id)", progress, total.map { CopyTotal($0) }))
        }
      }
    } catch  where isCanceled.flag.load(ordering: .relaxed) {
      ProgressLine.clear()
      console.say("the copy is stopped: nothing of job \(upload.id) stays on the volume, and nothing is sent")
      throw ExitStatus.interrupted
    }
    ProgressLine.clear()
    console.tell(ofSkipped: outcome.skipped)
    if outcome.place == .replaced { console.show("the folder on the volume is replaced") }
    return outcome.place
  }

  private final class Canceled: Sendable {
    let flag = Atomic(false)
  }
}

extension CopyTotal {
  fileprivate init(_ size: TreeSize) {
    self.init(files: size.files, bytes: size.bytes)
  }
}
