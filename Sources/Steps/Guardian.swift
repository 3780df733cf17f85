package import Glibc
import Synchronization
import SystemPackage

/// A small process that outlives this one for a moment: when this one dies without having dismissed it, by SIGKILL for
/// instance, it kills everything that the steps had started, and goes.
///
/// It is forked off before this process has threads, and long before there is a job: a fork(2) of a process that has only
/// begun costs a tenth of starting a program, and the code of a lone thread may go on in the child. Each page that is
/// written to by then is copied by whoever writes to it next, at a microsecond or two. It learns of the steps over a socket,
/// whose end of file tells it that this process is gone. In place of one that was killed the program is started anew. It sits
/// in a session of its own, ignores what ends others, and keeps no descriptor and no directory of this process, and nothing of
/// its arguments and environment. Its memory is a copy of this process's, which nobody else may look into.
package final class Guardian: Sendable {
  private struct State {
    /// Nil once it is dismissed, and while no other can be started in its place.
    var life: GuardianLife?
    var isDismissed = false
    /// What one that is started in its place must know, in order.
    var told: [[UInt8]] = []
    /// How many of these messages its socket has taken.
    var sent = 0
    /// Whether somebody was told of its loss since the last step began.
    var hasWarned = false
    var warn: @Sendable (String) -> Void = { _ in }
  }

  private let state: Mutex<State>

  private init(_ life: GuardianLife) { state = Mutex(State(life: life)) }

  /// Forks it off. Call it on the only thread that there is, early: when the program knows that it is to run steps, and before
  /// it starts anything.
  ///
  /// - Throws: ``SpawnError`` when there are no descriptors or processes left.
  package static func fork() throws(SpawnError) -> Guardian {
    do throws(Errno) {
      return Guardian(try .forked())
    } catch {
      throw SpawnError(
        program: "fork(2)", problem: "the guardian that ends steps if the worker is killed: \(error)", errno: error)
    }
  }

  /// Does a guardian's work and never returns, if this process was started to take the place of one that was killed. Call it
  /// before anything else.
  package static func serveIfAsked() { GuardianLife.serveIfAsked() }

  /// Calls `body` with a sentence when the guardian is found killed or stopped: once a step at most.
  package func onLoss(_ body: @escaping @Sendable (String) -> Void) {
    state.withLock { $0.warn = body }
  }

  /// Ends it, because nothing is left to guard, and reaps it. Calling it twice is calling it once.
  package func dismiss() {
    state.withLock { state in
      state.isDismissed = true
      state.life.take()?.end()
    }
  }

  package var pid: pid_t? { state.withLock { $0.life?.pid } }

  /// Becomes readable when it has ended; negative if the kernel has no such thing, or there is none.
  package var descriptor: Int32 { state.withLock { $0.life?.pidfd ?? -1 } }

  /// Has it go on if somebody has stopped it, and puts another in its place, which learns all that it knew, if it has ended. A
  /// step can do both, and kill the worker next.
  func revive() {
    state.withLock { state in
      guard !state.isDismissed else { return }
      switch state.life?.condition {
      case .runs: break
      case .stopped:
        state.life?.resume()
        Self.warn(
          "something has stopped the guardian, which ends the step if this process is killed: continued it", &state)
      case .ended, nil:
        state.life.take()?.end()
        state.sent = 0
        do throws(Errno) {
          // What it is to know is in its socket before it begins: this process may be the next to be killed.
          state.life = try .spawned { socket in state.sent = Self.send(state.told, from: 0, to: socket) }
          Self.warn(
            "something has killed the guardian, which ends the step if this process is killed: started another", &state)
        } catch {
          Self.warn(
            "something has killed the guardian, which ends the step if this process is killed, and no other can be started"
              + " (\(error)); trying again", &state)
        }
      }
      Self.flush(&state)
    }
  }

  /// Tells it that there is a job now: `marker` is the environment entry, `JOB_WORKSPACE=<path>`, that the steps'
  /// processes have and no others.
  package func guardProcesses(carrying marker: String) { tell(Array(marker.utf8), insteadOf: .all) }

  /// Tells it of a session that a step has, or in which an orphan of a step is: what is in it and not older than
  /// `start` (ticks since boot) is the step's, and so is what writes to the pipe with that inode number.
  package func watch(session: pid_t, since start: UInt64, pipe: UInt64) {
    tell(GuardianMessage.watch(session: session, start: start, pipe: pipe).bytes, insteadOf: .none)
  }

  /// Tells it of the cgroup that a step is to have.
  package func watch(_ cgroup: StepCgroup) { tell(Array(cgroup.path.utf8), insteadOf: .none) }

  /// Nothing is left of the step: the numbers may come to mean others.
  func forgetAll() { tell(GuardianMessage.forgetAll.bytes, insteadOf: .allButTheFirst) }

  /// The job is over: from now on another worker may have it, and its processes must not be taken for this one's.
  package func forgetJob() { tell(GuardianMessage.forgetJob.bytes, insteadOf: .all) }

  /// The claim of the job was touched. Has it end the step when it is not told so again for a whole `lease`: then this process
  /// stands still, and another worker may begin the job.
  package func renew(_ lease: Duration) {
    let message = GuardianMessage.renewed(lease: UInt64(max(1, lease / .nanoseconds(1)))).bytes
    state.withLock { state in
      guard let life = state.life, state.sent == state.told.count else { return }
      _ = Self.send([message], from: 0, to: life.socket)
    }
  }

  /// Whether it has ended the step for that, since this was asked last.
  func hasEndedStep() -> Bool {
    state.withLock { state in
      guard let life = state.life else { return false }
      var byte: UInt8 = 0
      return recv(life.socket, &byte, 1, Int32(MSG_DONTWAIT)) == 1
    }
  }

  /// Which of the earlier messages mean nothing any more. The first is the job's.
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

  /// What a full socket does not take follows later.
  private static func flush(_ state: inout State) {
    guard let life = state.life else { return }
    state.sent = send(state.told, from: state.sent, to: life.socket)
  }

  /// Returns how many of the messages have been sent by now. A guardian that somebody has killed is no reason to fail, or to
  /// die of SIGPIPE.
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
