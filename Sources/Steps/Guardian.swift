import Glibc
import Synchronization
import SystemPackage

/// A small process that outlives this one briefly: if this process dies without dismissing it (by SIGKILL, for
/// example), it kills everything that the steps started, and exits.
///
/// It is forked before this process starts threads, and long before the first job: fork(2) of a young process costs a
/// tenth of starting a program, and the child of a single-threaded process may run any code. Each page written to by
/// then is copied on the next write, at a microsecond or two. It learns of the steps over a socket, whose end of file
/// reports that this process is gone. If a guardian is killed, the program is started anew to replace it. A guardian
/// has a session of its own, ignores terminating signals, and keeps no descriptor, directory, arguments or environment
/// of this process. Its memory is a copy of this process's, which no other process may inspect.
package final class Guardian: Sendable {
  private struct State {
    /// Nil after it is dismissed, and while no replacement can be started.
    var process: GuardianHandle?
    var isDismissed = false
    /// The messages that a replacement must receive, in order.
    var told: [[UInt8]] = []
    /// The number of these messages that its socket has accepted.
    var sent = 0
    /// Whether a loss was reported since the last step began.
    var hasWarned = false
    var warn: @Sendable (String) -> Void = { _ in }
  }

  private let state: Mutex<State>

  private init(_ process: GuardianHandle) { state = Mutex(State(process: process)) }

  /// Forks the guardian. Call it while the process has a single thread, early: when the program knows that it will run
  /// steps, and before it starts anything.
  ///
  /// - Throws: ``SpawnError`` when no descriptors or processes are left.
  package static func fork() throws(SpawnError) -> Guardian {
    do throws(Errno) {
      return Guardian(try .forked())
    } catch {
      throw SpawnError(
        program: "fork(2)", problem: "the guardian that ends steps if the worker is killed: \(error)", errno: error)
    }
  }

  /// Runs as a guardian and never returns, if this process was started to replace one. Call it before anything else.
  package static func serveIfAsked() { GuardianHandle.serveIfAsked() }

  /// Calls `body` with a sentence when the guardian is found killed or stopped: at most once for each step.
  package func onLoss(_ body: @escaping @Sendable (String) -> Void) {
    state.withLock { $0.warn = body }
  }

  /// Ends and reaps it, because nothing is left to guard. Further calls do nothing.
  package func dismiss() {
    state.withLock { state in
      state.isDismissed = true
      state.process.take()?.end()
    }
  }

  var pid: pid_t? { state.withLock { $0.process?.pid } }

  /// Becomes readable when it has ended; negative if the kernel has no pidfd, or there is no guardian.
  var descriptor: Int32 { state.withLock { $0.process?.pidfd ?? -1 } }

  /// Continues a stopped guardian, and replaces one that has ended with another that receives all its messages. A step
  /// can stop or kill the guardian, and then kill the worker.
  func revive() {
    state.withLock { state in
      guard !state.isDismissed else { return }
      switch state.process?.condition {
      case .runs: break
      case .stopped:
        state.process?.resume()
        Self.warn(
          "the guardian, which ends the step if this process is killed, was stopped: continued it", &state)
      case .ended, nil:
        state.process.take()?.end()
        state.sent = 0
        do throws(Errno) {
          // Send the messages before it starts: this process may be killed next.
          state.process = try .spawned { socket in state.sent = Self.send(state.told, from: 0, to: socket) }
          Self.warn(
            "the guardian, which ends the step if this process is killed, was killed: started another", &state)
        } catch {
          Self.warn(
            "the guardian, which ends the step if this process is killed, was killed, and no other can be started"
              + " (\(error)); trying again", &state)
        }
      }
      Self.flush(&state)
    }
  }

  /// Announces a job: `marker` is the environment entry, `JOB_WORKSPACE=<path>`, that only the steps' processes have.
  package func guardProcesses(carrying marker: String) { tell(Array(marker.utf8), insteadOf: .all) }

  /// Announces a session of a step, or of a step's orphan: processes in it that are not older than `start` (ticks since
  /// boot) belong to the step, and so do processes that write to the pipe with that inode number.
  func watch(session: pid_t, since start: UInt64, pipe: UInt64) {
    tell(GuardianMessage.watch(session: session, start: start, pipe: pipe).bytes, insteadOf: .none)
  }

  /// Announces the cgroup of a step.
  func watch(_ cgroup: StepCgroup) { tell(Array(cgroup.path.utf8), insteadOf: .none) }

  /// Withdraws the step's numbers, which may be reused: nothing is left of the step.
  func forgetStep() { tell(GuardianMessage.forgetStep.bytes, insteadOf: .allButTheFirst) }

  /// Withdraws the job, which is over: another worker may now run it, and its processes must not be mistaken for this
  /// one's.
  package func forgetJob() { tell(GuardianMessage.forgetJob.bytes, insteadOf: .all) }

  /// Reports how long the job's claim still holds. Without another report for that long the guardian ends the step: then
  /// this process is stalled, and another worker may start the job.
  package func renew(_ lease: Duration) {
    let message = GuardianMessage.renewed(lease: UInt64(max(1, lease / .nanoseconds(1)))).bytes
    state.withLock { state in
      guard let process = state.process, state.sent == state.told.count else { return }
      _ = Self.send([message], from: 0, to: process.socket)
    }
  }

  /// Whether it has ended the step because of an expired lease since the last call.
  func hasEndedStep() -> Bool {
    state.withLock { state in
      guard let process = state.process else { return false }
      var byte: UInt8 = 0
      return recv(process.socket, &byte, 1, Int32(MSG_DONTWAIT)) == 1
    }
  }

  /// The earlier messages that a new one makes obsolete. The first message is the job's.
  private enum Outdated { case none, allButTheFirst, all }

  private func tell(_ message: [UInt8], insteadOf outdated: Outdated) {
    state.withLock { state in
      if outdated != .none {
        state.told.removeSubrange((outdated == .all ? 0 : min(1, state.told.count))...)
        state.sent = min(state.sent, state.told.count)
        state.hasWarned = false
      }
      state.told.append(message)
      Self.flush(&state)
    }
  }

  /// Sends pending messages; those that a full socket does not accept follow later.
  private static func flush(_ state: inout State) {
    guard let process = state.process else { return }
    state.sent = send(state.told, from: state.sent, to: process.socket)
  }

  /// Returns how many of the messages have been sent by now. A killed guardian must cause neither an error nor SIGPIPE.
  private static func send(_ messages: [[UInt8]], from first: Int, to socket: Int32) -> Int {
    for (index, bytes) in messages.enumerated().dropFirst(first) {
      let sent = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      guard sent == bytes.count else { return index }
    }
    return messages.count
  }

  private static func warn(_ sentence: String, _ state: inout State) {
    guard !state.hasWarned else { return }
    state.hasWarned = true
    state.warn(sentence)
  }
}
