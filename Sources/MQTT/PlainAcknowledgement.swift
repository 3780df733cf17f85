private import CMosquitto
private import Glibc

extension Mosquitto {
  /// Sends PUBACKs past the library, which writes all that it has queued or nothing (MQTT 5, section 3.4; 3.1.1, section 3.4).
  ///
  /// For a connection that is closed next: the library would send them once more. `false` if they are not sent; then the broker
  /// sends the messages again.
  func acknowledgeOnly(_ packetIDs: [UInt16]) -> Bool {
    // Behind half of another packet they would be its other half.
    guard isUsable, !isHalfWritten, socket >= 0 else { return false }
    let bytes = packetIDs.flatMap { [0x40, 2, UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    guard tls != nil else {
      return send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) == bytes.count
    }
    guard let connection = mosquitto_ssl_get(handle) else { return false }
    ERR_clear_error()
    defer { ERR_clear_error() }
    return SSL_write(OpaquePointer(connection), bytes, Int32(bytes.count)) == Int32(bytes.count)
  }
}
