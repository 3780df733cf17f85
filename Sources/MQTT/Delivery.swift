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

  let post: @Sendable (@escaping Mailbox.Item) -> Void

  /// Lets the PUBACK leave. What the message asks for must be safe by now.
  public func acknowledge() {
    post { $0?.deliveryAcknowledged() }
  }
}
