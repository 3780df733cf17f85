import Client
import Glibc
import Jobs
import Steps

/// The early end of a submission: by an interrupt or the timeout.
actor SubmitEnd {
  private let submission: Submission
  private let upload: JobUpload?
  private let console: Console
  private let line: ActivityLine
  private var interrupts = 0
  /// Since when a job is being withdrawn.
  private var withdrawal: ContinuousClock.Instant?
  /// What became of the withdrawal.
  private var outcome: Submission.Withdrawal?
  /// The exit status.
  private(set) var status = ExitStatus.interrupted

  init(_ submission: Submission, _ upload: JobUpload?, _ console: Console, _ line: ActivityLine) {
    self.submission = submission
    self.upload = upload
    self.console = console
    self.line = line
  }

  /// Handles an interrupt: the first cancels the job after a confirmation, the second leaves it running. `true` if
  /// there is nothing left to wait for.
  ///
  /// Without a terminal one that comes while the first takes effect, within a second, is the same: timeout(1) signals the
  /// command, and then its group.
  func interrupt() async -> Bool {
    if !console.canAsk, let withdrawal, withdrawal + .seconds(1) > .now { return false }
    interrupts += 1
    console.endLine()
    guard interrupts == 1 else {
      line.letGo()
      switch outcome {
      case nil: console.say("leaving; a running job continues")
      case .canceled: console.say("leaving; its worker was asked to end the job")
      case .withdrawn, .marked, .queued: break
      }
      // Nothing that hangs, such as the volume, may keep the terminal for longer.
      Task(executorPreference: TaskThread("leaving")) {
        try await Task.sleep(for: .seconds(2))
        exit(ExitStatus.interrupted.rawValue)
      }
      return true
    }
    if console.canAsk {
      let isConfirmed = await line.held { [console] in
        await console.confirms("cancel the job? [y/N] (Ctrl-C again leaves it running)")
      }
      guard interrupts == 1, isConfirmed else {
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
    withdrawal = .now
    defer { withdrawal = nil }
    do {
      let outcome = try await submission.withdraw(upload)
      self.outcome = outcome
      switch outcome {
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
