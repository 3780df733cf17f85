private import Glibc

/// A message that arrived, and the right to let its acknowledgement leave.
///
/// The session reads and writes nothing more until every delivery that it handed out is acknowledged, or the session
/// is closed with ``Session/drop()``; then the broker, which saw no PUBACK, sends the message again (MQTT 5, section 4.4).
public struct Delivery: Sendable {
  /// What arrived.
  public let message: Message
  /// The packet identifier; a redelivery in the same session bears the same one. 0 with QoS 0.
  public let packetID: UInt16
  /// The DUP flag: the broker sent this before and saw no PUBACK.
  public let isRedelivery: Bool

  let connection: Int
  let socket: Int32
  let mailbox: Mailbox

  /// Whether the connection on which it came still stands, as far as this machine knows.
  ///
  /// On another the broker may have sent it again meanwhile, to this process or to the next that has its client id: who was
  /// stopped for a while (SIGSTOP, a suspended machine) cannot know otherwise that the message in its hand is old.
  public var isCurrent: Bool {
    // The number is asked for last: the descriptor may have become another file's.
    var entry = pollfd(fd: socket, events: Delivery.peerHasClosed, revents: 0)
    return poll(&entry, 1, 0) == 0 && connection == mailbox.connection
  }

  /// Lets the PUBACK leave, and returns when it has been handed to the kernel, or when there is no connection any more to
  /// send it on. What the message asks for must be safe by now. Of several deliveries that one read brought the PUBACKs
  /// leave together, after the last is acknowledged; for the others it returns at once.
  public func acknowledge() async {
    await withCheckedContinuation { done in
      mailbox.post { loop in
        if let loop { loop.acknowledged(self, done) } else { done.resume() }
      }
    }
  }

  /// `POLLRDHUP` of poll(2), which the headers give to GNU programs only.
  private static let peerHasClosed: Int16 = 0x2000
}
