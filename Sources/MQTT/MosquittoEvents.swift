private import CMosquitto
private import Glibc

/// The library's callbacks, which record events until the call that triggered them has returned.
extension Mosquitto {
  /// An event that the library reported.
  enum Event {
    case connected(ReasonCode, sessionPresent: Bool, SessionLimits)
    case disconnected(Int32)
    case published(Int32, ReasonCode)
    case subscribed(Int32, [ReasonCode])
    case unsubscribed(Int32)
    case message(Message, packetID: UInt16, isRedelivery: Bool)
  }

  func setCallbacks() {
    mosquitto_connect_v5_callback_set(handle) { _, context, code, flags, properties in
      owner(context).isAccepted = code == 0
      if let seconds = int16Property(properties, MQTT_PROP_SERVER_KEEP_ALIVE) { owner(context).keepAlive = seconds }
      owner(context).inbox.append(
        .connected(
          ReasonCode(rawValue: UInt8(clamping: code)), sessionPresent: flags & 1 == 1,
          SessionLimits(owner(context).options, properties)))
    }
    mosquitto_disconnect_v5_callback_set(handle) { _, context, code, _ in
      owner(context).inbox.append(.disconnected(code))
    }
    mosquitto_publish_v5_callback_set(handle) { _, context, id, code, _ in
      owner(context).inbox.append(.published(id, ReasonCode(rawValue: UInt8(clamping: code))))
    }
    mosquitto_subscribe_v5_callback_set(handle) { _, context, id, count, codes, _ in
      let codes = UnsafeBufferPointer(start: codes, count: codes == nil ? 0 : Int(count))
      owner(context).inbox.append(.subscribed(id, codes.map { ReasonCode(rawValue: UInt8(clamping: $0)) }))
    }
    mosquitto_unsubscribe_v5_callback_set(handle) { _, context, id, _ in
      owner(context).inbox.append(.unsubscribed(id))
    }
    mosquitto_message_v5_callback_set(handle) { _, context, message, properties in
      guard let message else { return }
      owner(context).received(message.pointee, properties)
    }
    mosquitto_log_callback_set(handle) { _, context, level, text in
      guard let text else { return }
      if level == MOSQ_LOG_DEBUG {
        owner(context).debugged(text)
      } else {
        owner(context).logged(level, String(cString: text))
      }
    }
  }

  fileprivate func received(_ raw: mosquitto_message, _ properties: OpaquePointer?) {
    let message = Message(
      topic: String(cString: raw.topic),
      payload: Array(UnsafeRawBufferPointer(start: raw.payload, count: Int(raw.payloadlen))),
      qos: raw.qos == 0 ? .atMostOnce : .atLeastOnce,
      retention: raw.retain ? .retained : .notRetained,
      properties: MessageProperties(copying: properties))
    inbox.append(.message(message, packetID: UInt16(clamping: raw.mid), isRedelivery: nextIsRedelivery))
    nextIsRedelivery = false
  }

  /// The library hides the DUP flag from `on_message`, but the debug line about the same packet, logged just before,
  /// shows it: `Client x received PUBLISH (d1, q1, r0, m1, …`.
  fileprivate func debugged(_ text: UnsafePointer<CChar>) {
    let before = "received PUBLISH (d"
    if let found = strstr(text, before) { nextIsRedelivery = found[before.utf8.count] == CChar(UInt8(ascii: "1")) }
  }

  fileprivate func logged(_ level: Int32, _ text: String) {
    if level == MOSQ_LOG_ERR {
      errors = errors.suffix(3) + [text]
    }
  }
}

private func owner(_ context: UnsafeMutableRawPointer?) -> Mosquitto {
  Unmanaged<Mosquitto>.fromOpaque(context!).takeUnretainedValue()
}
