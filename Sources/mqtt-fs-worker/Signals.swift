import JobWorker
import Logging
import UnixSignals

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
