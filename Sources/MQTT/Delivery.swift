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
  let mailbox: Mailbox

  /// Lets the PUBACK leave, and returns when it has been handed to the kernel, or when there is no connection any more to
  /// send it on. What the message asks for must be safe by now.
  public func acknowledge() async {
    await withCheckedContinuation { done in
      mailbox.post { loop in
        if let loop { loop.acknowledged(self, done) } else { done.resume() }
      }
    }
  }
}
