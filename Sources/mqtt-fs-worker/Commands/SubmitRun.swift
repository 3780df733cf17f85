import Client
import Glibc
import Jobs
import MQTT
import Steps
import Worker

/// The user's side of a submission: its output, and the effect of interrupts.
struct SubmitRun: Sendable {
  /// The content of stdout.
  enum Content {
    case logs, result
  }

  let submission: Submission
  let upload: JobUpload?
  let request: OutgoingRequest
  let steps: [Step]
  let console: Console
  let output: Content
  let timeout: Duration?
  /// Whether the output comes from the volume, and not over the broker.
  let readsVolume: Bool
  private let line = ActivityLine()

  init(
    submission: Submission, upload: JobUpload?, request: OutgoingRequest, steps: [Step], console: Console,
    output: Content, timeout: Duration?, readsVolume: Bool
  ) {
    (self.submission, self.upload, self.request, self.steps) = (submission, upload, request, steps)
    (self.console, self.output, self.timeout, self.readsVolume) = (console, output, timeout, readsVolume)
  }

  /// Sends the request, and prints the id when the broker has it.
  func send() async throws {
    try await withdrawingOnFailure {
      try await submission.open()
      news: while let news = try await submission.next() {
        switch news {
        case .noSubscriber, .refusedForNow, .volumeFailed: report(news)
        case .queued, .taken, .event, .output, .missing, .finished: break news
        }
      }
    }
    await submission.close()
    do {
      switch output {
      case .logs: try Output.write("\(request.id)\n")
      case .result: try Output.write(json: #"{"id":"\#(request.id)","requestId":"\#(request.requestID)"}"# + "\n")
      }
    } catch let failure as OutputFailure {
      console.say("the request for job \(request.id) is sent")
      throw failure
    }
  }

  /// Sends the request and follows the job to its end. Throws the ``ExitStatus`` of its result.
  ///
  /// If the output has no reader any more, as in `submit … | head`, or cannot be written, it still follows the job for
  /// its exit code.
  func follow(_ interrupts: Interrupts) async throws {
    let end = SubmitEnd(submission, upload, console, line)
    let following = Task(executorPreference: TaskThread("submit")) {
      do {
        return try await withdrawingOnFailure {
          try await submission.open()
          return try await follow()
        }
      } catch  where Task.isCancelled {
        // What the task waited for may say this in its own words.
        throw CancellationError()
      }
    }
    let limit = Task {
      guard let timeout else { return }
      try await Task.sleep(for: timeout)
      if await end.timeIsUp(timeout) { following.cancel() }
    }
    let showing = Task { [line] in try await line.run() }
    defer {
      limit.cancel()
      showing.cancel()
    }
    do {
      let (result, failure) = try await interrupts.handled {
        if await end.interrupt() { following.cancel() }
      } during: {
        try await following.value
      }
      // The failure of a job is more important.
      if let failure, ExitStatus(result).rawValue == 0 { throw ExitStatus(failure) }
      throw ExitStatus(result)
    } catch is CancellationError {
      throw await end.status
    }
  }

  /// The job's result, and the error that stopped the output, unless only its reader has left.
  private func follow() async throws -> (ResultMessage, OutputFailure?) {
    let printing = Printing(console, afterFailure: "following the job to its end without this output")
    var patience: Task<Void, any Error>?
    var step: Int?
    var parked: String?
    var hasOutput = false
    defer { patience?.cancel() }
    while let news = try await submission.next() {
      await line.turn()
      switch news {
      case .queued:
        patience = Task { [console] in
          try await Task.sleep(for: .seconds(1))
          let halt = await submission.haltReason().map { "; KILLSWITCH on the volume halts all workers: \($0)" } ?? ""
          console.say("no worker has taken job \(request.id) yet; the broker keeps the request\(halt)")
        }
        continue
      case .event(let event) where event.event == .awaitingApproval:
        patience?.cancel()
        // The event comes again each time the request is sent again.
        guard parked != event.error ?? "" else { continue }
        parked = event.error ?? ""
      case .taken: patience?.cancel()
      case .output(let number, let bytes):
        if step != number { console.show(heading(number)) }
        step = number
        hasOutput = true
        line.makeWay(for: bytes)
        await printing.put(bytes, to: output == .logs ? .standardOutput : .standardError)
      case .finished(let result):
        patience?.cancel()
        line.begin(nil)
        if !hasOutput, !readsVolume { showTail(of: result) }
        report(news)
        if await submission.isVolumeAway {
          console.say(
            "warning: output may be missing above: 'mqtt-fs-worker logs \(request.id)' prints it when the volume is back"
          )
        }
        for error in await submission.logErrors { console.say("warning: \(error)") }
        if output == .result { await printing.put(try result.line) }
        return (result, printing.failure)
      default: break
      }
      report(news)
    }
    throw CancellationError()
  }

  /// Removes the job from the volume on a failure, if no worker can get the request any more.
  private func withdrawingOnFailure<T>(_ body: () async throws -> T) async throws -> T {
    do {
      return try await body()
    } catch {
      if await !submission.mayBeTaken, let upload { _ = try? upload.withdraw() }
      throw error
    }
  }

  // MARK: Messages

  private func report(_ news: SubmissionEvent) {
    let id = request.id
    switch news {
    case .noSubscriber: console.say("no worker listens for job \(id) yet; waiting for one")
    case .refusedForNow(let code): console.say("the broker refuses the request for now (\(code)); trying again")
    case .taken(let worker, 1): console.show("\(worker) takes job \(id)")
    case .taken(let worker, let attempt): console.say("\(worker) takes job \(id) over, attempt \(attempt)")
    case .volumeFailed(let error): console.say("\(error); following the job as far as the broker tells of it")
    case .missing(let step, let bytes): console.say("\(bytes) bytes of step \(step)'s output were lost")
    case .event(let event) where event.event == .awaitingApproval:
      let why = event.error.map { ": \($0)" } ?? ""
      console.say("job \(id) waits for approval by 'mqtt-fs-worker approve \(id)'\(why)")
    case .event(let event) where event.event == .started:
      line.begin(nil)
      console.show("its files are staged, its steps start")
      guard !readsVolume, event.publishesLogs != true else { break }
      console.say(
        "no output will come: there is no common volume here, and \(event.workerId) runs without --publish-logs; its log is "
          + "in results/ on its volume")
    case .event(let event) where event.event == .stepStarted:
      if let step = event.step { line.begin(stepHeading(step, of: event.steps ?? steps.count, title(step))) }
    case .event(let event) where event.event == .progress: show(event)
    case .finished(let result): report(result)
    case .event, .output, .queued: break
    }
  }

  private func report(_ result: ResultMessage) {
    for (name, value) in (result.outputs ?? [:]).sorted(by: { $0.key < $1.key }) {
      console.show("output \(name)=\(value.escaped(upTo: 500))")
    }
    let usage = result.usage.map { ", \(usageText($0))" } ?? ""
    console.tell(result, of: request.id, used: usage + (result.outOfMemory == true ? ", out of memory" : ""))
  }

  private func title(_ number: Int) -> String? { steps.indices.contains(number) ? steps[number].title : nil }

  private func heading(_ number: Int) -> String { stepHeading(number, of: steps.count, title(number)) }

  private func show(_ progress: JobEvent) {
    let doing = progress.phase == "sync" ? "bringing files back" : "staging"
    let total = progress.totalFiles.map { CopyTotal(files: $0, bytes: progress.totalBytes) }
    line.show("\(doing): \(ProgressLine.text(files: progress.files ?? 0, progress.bytes ?? 0, total))")
  }

  /// Shows the end of the failed step's log, which is all of the output that has come.
  private func showTail(of result: ResultMessage) {
    guard result.status != .success, let tail = result.tail, !tail.isEmpty else { return }
    console.say("the end of its log:")
    for line in tail.split(separator: "\n", omittingEmptySubsequences: false).suffix(40) where !line.isEmpty {
      console.say("  \(line)")
    }
  }
}

extension ResultMessage {
  /// The message as the line of `--json`.
  fileprivate var line: [UInt8] {
    get throws { Array("\(String(decoding: try encoded(), as: UTF8.self).escapedInJSON)\n".utf8) }
  }
}
