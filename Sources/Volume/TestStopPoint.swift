private import FoundationEssentials
private import Glibc

/// The points at which tests stop a worker, to kill it there.
///
/// Only a debug build has them: with `MQTT_FS_WORKER_STOP_AT=<name>` it stops itself with SIGSTOP at that point.
package enum TestStopPoint: String {
  case received, claimed, begun, acknowledged, started, resultWritten, published, released, deferring,
    requestDeferred, deferredRequestClaimed
  case putAside, parked, decisionWritten, decisionMade, cacheFilled
  case removalBegun, folderHidden, folderDoomed, folderReplaced

  /// Marks the point.
  @inline(__always)
  package func reached() {
    #if DEBUG
      guard ProcessInfo.processInfo.environment["MQTT_FS_WORKER_STOP_AT"] == rawValue else { return }
      raise(SIGSTOP)
    #endif
  }
}
