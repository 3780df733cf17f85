private import Glibc

/// A received message, and the right to let its acknowledgement be sent.
///
/// The session reads and writes nothing more until every delivery that it handed out is acknowledged, or the session is
/// closed with ``Session/drop()``; then the broker, which received no PUBACK, sends the message again (MQTT 5, section
/// 4.4).
public struct Delivery: Sendable {
  /// The received message.
  public let message: Message
  /// The packet identifier; a redelivery in the same session has the same one. 0 with QoS 0.
  public let packetID: UInt16
  /// The DUP flag: the broker sent this before and received no PUBACK.
  public let isRedelivery: Bool

  let connection: Int
  let socket: Int32
  let mailbox: Mailbox

  /// Whether the connection on which it arrived is still open, as far as this machine knows.
  ///
  /// On a later connection the broker may have sent it again, to this process or to the next one with its client id: a
  /// process that was stopped for a while (SIGSTOP, a suspended machine) has no other way to know that its message is
  /// stale.
  public var isCurrent: Bool {
    // Compare the number last: the descriptor may have been reused meanwhile.
    var entry = pollfd(fd: socket, events: Delivery.peerHasClosed, revents: 0)
    return poll(&entry, 1, 0) == 0 && connection == mailbox.connection
  }

  /// Lets the PUBACK be sent, and returns when it has been handed to the kernel, or when its connection is gone. The
  /// effects of the message must be durable by now. If one read brought several deliveries, their PUBACKs are sent
  /// together, after the last is acknowledged; for the others this returns at once.
  public func acknowledge() async {
    await withCheckedContinuation { done in
      mailbox.post { loop in
        if let loop { loop.acknowledged(self, done) } else { done.resume() }
      }
    }
  }

  /// `POLLRDHUP` of poll(2), which the headers define only with _GNU_SOURCE.
  private static let peerHasClosed: Int16 = 0x2000
}
