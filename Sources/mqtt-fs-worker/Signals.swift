import Glibc
import JobWorker
import Logging
import UnixSignals

/// What asks a worker to stop.
private let stopSignals = [SIGTERM, SIGINT]

/// Holds TERM and INT back until somebody listens for them: a worker that is told to stop while it starts stops in order,
/// too. Steps start with nothing blocked.
func blockStopSignals() {
  var signals = sigset_t()
  sigemptyset(&signals)
  for signal in stopSignals { sigaddset(&signals, signal) }
  pthread_sigmask(SIG_BLOCK, &signals, nil)
}

/// Has TERM and INT end a command that holds nothing which needs an end in order.
func exitOnStopSignals() async {
  let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
  Task {
    for await signal in signals { exit(signal == .sigint ? 128 + SIGINT : 128 + SIGTERM) }
  }
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
