private import FoundationEssentials
private import Glibc

/// The points of a job's life at which tests stop a worker to kill it there.
///
/// Only a debug build looks: with `MQTT_FS_WORKER_STOP_AT=<name>` it stops itself with SIGSTOP. In a release build nothing
/// is left of this.
package enum TestStopPoint: String {
  case received, claimed, begun, acknowledged, started, resultWritten, published, released, ticketWritten, ticketClaimed
  case putAside, parked, decisionWritten, decisionMade

  /// Marks the point.
  @inline(__always)
  package func reached() {
    #if DEBUG
      guard ProcessInfo.processInfo.environment["MQTT_FS_WORKER_STOP_AT"] == rawValue else { return }
      raise(SIGSTOP)
    #endif
  }
}
