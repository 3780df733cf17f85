import Glibc
import JobWorker
import Logging
import UnixSignals

/// What asks a worker to stop.
private let stopSignals = [SIGTERM, SIGINT]

/// Has TERM and INT end the process at once and well, while it holds nothing: until somebody listens for them.
///
/// They cannot be held back until then: Dispatch has the first thread wait with no signal blocked (sigsuspend(2)), and
/// there what nobody listens for kills. Held back from an earlier life, they are let go here.
func leaveAtOnceOnStopSignals() {
  for stop in stopSignals { signal(stop) { _ in _exit(0) } }
  setStopSignals(SIG_UNBLOCK)
}

/// Holds TERM and INT back over an execve(2), which keeps what is blocked and pending, but no handler.
func holdStopSignals() {
  setStopSignals(SIG_BLOCK)
  // Those that other threads would take end the process, as it holds nothing any more.
  for stop in stopSignals { signal(stop) { _ in _exit(0) } }
}

private func setStopSignals(_ change: Int32) {
  var signals = sigset_t()
  sigemptyset(&signals)
  for signal in stopSignals { sigaddset(&signals, signal) }
  pthread_sigmask(change, &signals, nil)
}

extension StopRequest {
  /// The first TERM or INT asks the worker to stop in order, the second at once.
  func raiseOnSignals(_ logger: Logger) async {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    Task {
      for await signal in signals {
        let level: StopLevel = isShutdown ? .kill : .terminate
        logger.notice("\(signal): \(level == .kill ? "ending at once" : "stopping")")
        raise(level, reason: .shutdown)
      }
    }
  }
}
