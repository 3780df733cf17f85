import Glibc
import JobWorker
import Logging
import UnixSignals

/// What asks a worker to stop.
private let stopSignals = [SIGTERM, SIGINT]

/// Holds TERM and INT back until somebody listens for them: a worker that is told to stop while it starts stops in order,
/// too. Steps start with nothing blocked.
func blockStopSignals() {
  setMask(SIG_BLOCK)
}

/// Lets TERM and INT end a command that does not listen for them. Call it before there are other threads.
func unblockStopSignals() {
  setMask(SIG_UNBLOCK)
}

/// A command that listens for TERM and INT.
protocol StopsInOrder {}

private func setMask(_ how: Int32) {
  var signals = sigset_t()
  sigemptyset(&signals)
  for signal in stopSignals { sigaddset(&signals, signal) }
  pthread_sigmask(how, &signals, nil)
}

extension StopRequest {
  /// The first TERM or INT asks the worker to stop in order, the second at once.
  func raiseOnSignals(_ logger: Logger) async {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    Task {
      for await signal in signals {
        let level: StopLevel = self.level == .none ? .terminate : .kill
        logger.notice("\(signal): \(level == .kill ? "ending at once" : "stopping")")
        raise(level, reason: .shutdown)
      }
    }
  }
}
