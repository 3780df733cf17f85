import Client
import Glibc
import Jobs
import MQTT
import Synchronization

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

  /// Sends the request, and prints the id when the broker has it.
  func send() async throws {
    try await withdrawingOnFailure {
      try await submission.open()
      news: while let news = try await submission.next() {
        switch news {
        case .noSubscriber, .refusedForNow: report(news)
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
    let end = SubmitEnd(submission, upload, console)
    let following = Task {
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
    defer { limit.cancel() }
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
    var printing = Printing(console)
    var patience: Task<Void, any Error>?
    var step: Int?
    var parked: String?
    defer { patience?.cancel() }
    while let news = try await submission.next() {
      switch news {
      case .queued:
        patience = Task { [console] in
          try await Task.sleep(for: .seconds(1))
          console.say("no worker has taken job \(request.id) yet; the broker keeps the request")
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
        await printing.put(bytes, to: output == .logs ? .standardOutput : .standardError)
      case .finished(let result):
        patience?.cancel()
        report(news)
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
    case .missing(let step, let bytes): console.say("\(bytes) bytes of step \(step)'s output were lost")
    case .event(let event) where event.event == .awaitingApproval:
      let why = event.error.map { ": \($0)" } ?? ""
      console.say("job \(id) waits for approval by 'mqtt-fs-worker approve \(id)'\(why)")
    case .event(let event) where event.event == .started: console.show("its files are staged, its steps start")
    case .finished(let result): report(result)
    case .event, .output, .queued: break
    }
  }

  private func report(_ result: ResultMessage) {
    let took = result.durationMs.map { " after \(durationText(milliseconds: $0))" } ?? ""
    let used = result.usage.map { ", \(usageText($0))" } ?? ""
    let text =
      "job \(request.id): \(result.status.rawValue)\(took)\(used)\(result.outOfMemory == true ? ", out of memory" : "")"
    for (name, value) in (result.outputs ?? [:]).sorted(by: { $0.key < $1.key }) {
      console.show("output \(name)=\(value.escaped(upTo: 500))")
    }
    guard result.status != .success else { return console.show(text) }
    console.say(result.error.map { "\(text): \($0)" } ?? text)
  }

  private func heading(_ number: Int) -> String {
    guard steps.indices.contains(number) else { return "step \(number)" }
    let title = steps[number].name ?? String(steps[number].run.prefix { !$0.isNewline }.prefix(60))
    return "step \(number) of 0 to \(steps.count - 1): \(title)"
  }
}

/// The output of a followed job, until a stream fails.
private struct Printing {
  private let console: Console
  private var ended: Set<Output.Stream> = []
  /// The error, unless only the reader has left.
  private(set) var failure: OutputFailure?

  init(_ console: Console) {
    self.console = console
  }

  mutating func put(_ bytes: [UInt8], to stream: Output.Stream = .standardOutput) async {
    guard !ended.contains(stream) else { return }
    do {
      try await Output.put(bytes, to: stream)
    } catch {
      ended.insert(stream)
      guard let failure = error as? OutputFailure else { return }
      self.failure = failure
      console.say("\(failure); following the job to its end without this output")
    }
  }
}

extension ResultMessage {
  /// The message as the line of `--json`.
  fileprivate var line: [UInt8] {
    get throws { Array("\(String(decoding: try encoded(), as: UTF8.self).escapedInJSON)\n".utf8) }
  }
}

/// The early end of a submission: by an interrupt or the timeout.
private actor SubmitEnd {
  private let submission: Submission
  private let upload: JobUpload?
  private let console: Console
  private var interrupts = 0
  /// The exit status.
  private(set) var status = ExitStatus.interrupted

  init(_ submission: Submission, _ upload: JobUpload?, _ console: Console) {
    self.submission = submission
    self.upload = upload
    self.console = console
  }

  /// Handles an interrupt: the first cancels the job after a confirmation, the second leaves it running. `true` if
  /// there is nothing left to wait for.
  func interrupt() async -> Bool {
    interrupts += 1
    guard interrupts == 1 else {
      console.say("leaving; a running job continues")
      return true
    }
    if console.canAsk {
      let answer = await console.ask("cancel the job? [y/N] (Ctrl-C again leaves it running)")
      guard interrupts == 1, answer?.lowercased().hasPrefix("y") == true else {
        interrupts = max(0, interrupts - 1)
        return false
      }
    }
    return await withdraw("")
  }

  /// Withdraws a job that no worker has taken in time. A running job is ended by its worker. `true` if there is nothing
  /// left to wait for.
  func timeIsUp(_ limit: Duration) async -> Bool {
    guard await !submission.isTaken else { return false }
    status = .timedOut
    return await withdraw("no worker has taken it within \(limit.jobText): ")
  }

  private func withdraw(_ why: String) async -> Bool {
    do {
      switch try await submission.withdraw(upload) {
      case .withdrawn:
        console.say("\(why)the job is withdrawn")
        return true
      case .marked:
        console.say("\(why)the job is canceled: the worker that takes it answers so, without a step")
        return true
      case .queued:
        console.say("\(why)the broker has the request and cannot return it: the next worker will run it")
        return true
      case .canceled:
        console.say("\(why)asking its worker to end the job")
        return false
      }
    } catch {
      console.say("the job cannot be canceled, and may still run: \(error)")
      return true
    }
  }
}
