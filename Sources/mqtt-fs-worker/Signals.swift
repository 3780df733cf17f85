import Glibc
import JobWorker
import Logging
import UnixSignals

/// Has TERM and INT end the process at once and well, while it holds nothing: until somebody listens for them, and between
/// two lives.
///
/// They cannot be held back until then: Dispatch has the first thread wait with no signal blocked (sigsuspend(2)), and
/// there what nobody listens for kills.
func leaveAtOnceOnStopSignals() {
  for stop in [SIGTERM, SIGINT] { signal(stop) { _ in _exit(0) } }
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
