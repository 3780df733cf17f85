/// What was seen of a TLS handshake: whom the broker said to be, and why it broke off.
final class Handshake {
  private(set) var brokerCertificate: X509Certificate?
  /// The alert that the broker sent.
  private(set) var alert: UInt8?

  /// Alerts that come again until somebody changes a setting (RFC 8446, section 6.2; 41 is of SSL 3).
  private static let lasting: Set<UInt8> = [40, 41, 42, 43, 44, 45, 46, 48, 49, 51, 70, 71, 86, 112, 115, 116, 120]
  /// Those of them that are about the client's certificate.
  private static let aboutCertificate: Set<UInt8> = [41, 42, 43, 44, 45, 46, 48, 49, 51, 116]

  /// Forgets what was seen, for a new connection.
  func begin() {
    brokerCertificate = nil
    alert = nil
  }

  /// Watches a connection (`SSL *`) from now on. It must not outlive this.
  func watch(_ connection: OpenSSL.Object) {
    OpenSSL.watch(connection, Unmanaged.passUnretained(self).toOpaque(), record)
  }

  /// A context (`SSL_CTX *`) whose connections are watched from their first message on. They must not outlive this.
  func watchedContext() -> OpenSSL.Object? {
    OpenSSL.context(Unmanaged.passUnretained(self).toOpaque(), record)
  }

  fileprivate func received(_ type: Int32, _ bytes: [UInt8]) {
    let (alertType, handshakeType): (Int32, Int32) = (21, 22)
    let certificateMessage: UInt8 = 11
    if type == alertType, bytes.count == 2 {
      alert = bytes[1]
    } else if type == handshakeType, bytes.first == certificateMessage {
      brokerCertificate = Handshake.firstCertificate(bytes).flatMap { X509Certificate(der: $0) }
    }
  }

  /// The broker's own certificate in a Certificate message: behind the list's length in TLS 1.2 (RFC 5246, section
  /// 7.4.2), behind an empty context and the list's length in TLS 1.3 (RFC 8446, section 4.4.2).
  private static func firstCertificate(_ message: [UInt8]) -> [UInt8]? {
    for start in [7, 8] where message.count > start + 3 {
      let length = message[start..<start + 3].reduce(0) { $0 << 8 | Int($1) }
      let end = start + 3 + length
      // A certificate is a DER sequence.
      if length > 0, end <= message.count, message[start + 3] == 0x30 { return Array(message[start + 3..<end]) }
    }
    return nil
  }

  /// What the broker's alert means to a client that shows `certificate`, from `file`; `nil` when there was none, or
  /// trying again may help.
  func refusal(_ certificate: X509Certificate?, _ file: String?) -> String? {
    guard let alert, Handshake.lasting.contains(alert) else { return nil }
    let name = OpenSSL.alertName(alert)
    // TLS 1.2 has no alert of its own for a certificate that is missing.
    guard Handshake.aboutCertificate.contains(alert) || (alert == 40 && certificate == nil) else {
      return "the broker breaks off: \(name)"
    }
    guard let certificate, let file else {
      return "the broker asks for a client certificate (\(name)); give one, with its key"
    }
    return "the broker does not accept the certificate \(file) (\(name)); it is \(certificate.facts)"
  }
}

private let record: OpenSSL.MessageCallback = { isSent, _, type, bytes, count, _, handshake in
  guard isSent == 0, let bytes, let handshake else { return }
  Unmanaged<Handshake>.fromOpaque(handshake).takeUnretainedValue()
    .received(type, Array(UnsafeRawBufferPointer(start: bytes, count: count)))
}
