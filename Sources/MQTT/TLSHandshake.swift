private import CMosquitto
private import Glibc

/// Records a TLS handshake: the broker's certificate, why it was not accepted, and why the broker aborted.
final class TLSHandshake {
  private(set) var brokerCertificate: X509Certificate?
  /// The verification error of the broker's certificate or of one above it (X509_STORE_CTX_get_error(3)).
  private(set) var problem: (code: Int32, depth: Int32, certificate: X509Certificate?)?
  /// The alert that the broker sent.
  private(set) var alert: UInt8?
  /// Whether the broker requests a client certificate.
  private(set) var asksForCertificate = false
  /// This client's certificate, and its file.
  var certificate: (X509Certificate, file: String)?

  /// Alerts that recur until a setting is changed (RFC 8446, section 6.2; 41 is of SSL 3).
  private static let lasting: Set<UInt8> = [40, 41, 42, 43, 44, 45, 46, 48, 49, 51, 70, 71, 86, 112, 115, 116, 120]
  /// The lasting alerts about the client's certificate.
  private static let aboutCertificate: Set<UInt8> = [41, 42, 43, 44, 45, 46, 48, 49, 51, 116]

  /// Clears the record, for a new connection.
  func begin() {
    brokerCertificate = nil
    problem = nil
    alert = nil
    asksForCertificate = false
  }

  /// Observes the connections of a context (`SSL_CTX *`), which must not outlive this.
  func watch(_ context: OpaquePointer) {
    let this = Unmanaged.passUnretained(self).toOpaque()
    openssl_set_message_argument(context, this)
    SSL_CTX_set_msg_callback(context) { isSent, _, type, bytes, count, _, handshake in
      guard isSent == 0, let bytes, let handshake else { return }
      Unmanaged<TLSHandshake>.fromOpaque(handshake).takeUnretainedValue()
        .received(type, Array(UnsafeRawBufferPointer(start: bytes, count: count)))
    }
    openssl_set_app_data(context, this)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER) { isAccepted, store in
      guard isAccepted == 0, let store, let handshake = openssl_verified_app_data(store) else { return isAccepted }
      Unmanaged<TLSHandshake>.fromOpaque(handshake).takeUnretainedValue().refused(store)
      return 0
    }
  }

  private func refused(_ store: OpaquePointer) {
    problem = (
      X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_error_depth(store),
      X509_STORE_CTX_get_current_cert(store).map { X509Certificate(sharing: $0) }
    )
  }

  private func received(_ type: Int32, _ bytes: [UInt8]) {
    switch (type, bytes.first.map { Int32($0) }) {
    case (SSL3_RT_ALERT, _) where bytes.count == 2: alert = bytes[1]
    case (SSL3_RT_HANDSHAKE, SSL3_MT_CERTIFICATE):
      brokerCertificate = TLSHandshake.firstCertificate(bytes).flatMap { X509Certificate(der: $0) }
    case (SSL3_RT_HANDSHAKE, SSL3_MT_CERTIFICATE_REQUEST): asksForCertificate = true
    default: break
    }
  }

  /// The broker's own certificate in a Certificate message: after the list's length in TLS 1.2 (RFC 5246, section
  /// 7.4.2), after an empty context and the list's length in TLS 1.3 (RFC 8446, section 4.4.2).
  private static func firstCertificate(_ message: [UInt8]) -> [UInt8]? {
    for start in [7, 8] where message.count > start + 3 {
      let length = message[start..<start + 3].reduce(0) { $0 << 8 | Int($1) }
      let end = start + 3 + length
      // A certificate is a DER sequence.
      if length > 0, end <= message.count, message[start + 3] == 0x30 { return Array(message[start + 3..<end]) }
    }
    return nil
  }

  /// Completes the handshake of `connection` (`SSL *`) over `socket`, and waits for the broker to check this client's
  /// certificate. Throws OpenSSL's reasons; none when the connection was closed.
  func perform(_ connection: OpaquePointer, over socket: Int32, within limit: Duration) throws(Failure) {
    let start = ContinuousClock.now
    while true {
      ERR_clear_error()
      let code = SSL_do_handshake(connection)
      if code == 1 { break }
      try wait(SSL_get_error(connection, code), socket, until: start + limit)
    }
    // In TLS 1.3 the broker checks the client's certificate after the client is done (RFC 8446, section 2). If it
    // aborts, data written then is answered by a reset, and its alert may be lost: so wait for the broker to send
    // first, for as long as the handshake took. A broker that accepts sends first, too: a session ticket.
    guard asksForCertificate, SSL_version(connection) == TLS1_3_VERSION else { return }
    var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    let milliseconds = min(max((ContinuousClock.now - start) / .milliseconds(1), 5), 1000)
    guard poll(&entry, 1, Int32(milliseconds)) > 0 else { return }
    var byte: UInt8 = 0
    ERR_clear_error()
    let code = SSL_peek(connection, &byte, 1)
    let state = SSL_get_error(connection, code)
    guard code <= 0, state != SSL_ERROR_WANT_READ, state != SSL_ERROR_WANT_WRITE else { return }
    throw Failure(reasons: OpenSSL.takeErrors())
  }

  /// Why a handshake failed.
  struct Failure: Error {
    let reasons: [String]
    var isTimeout = false
  }

  private func wait(_ state: Int32, _ socket: Int32, until deadline: ContinuousClock.Instant) throws(Failure) {
    guard state == SSL_ERROR_WANT_READ || state == SSL_ERROR_WANT_WRITE else {
      throw Failure(reasons: OpenSSL.takeErrors())
    }
    let events = state == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT
    var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
    let left = (deadline - .now) / .milliseconds(1)
    guard left > 0 else { throw Failure(reasons: [], isTimeout: true) }
    poll(&entry, 1, Int32(left) + 1)
  }

  /// The meaning of the broker's alert; `nil` when there was none, or a retry may help.
  var refusal: String? {
    guard let alert, TLSHandshake.lasting.contains(alert) else { return nil }
    let name = OpenSSL.alertName(alert)
    // TLS 1.2 has no separate alert for a missing certificate.
    guard TLSHandshake.aboutCertificate.contains(alert) || (alert == 40 && certificate == nil) else {
      return "the broker aborts the handshake: \(name)"
    }
    guard let (certificate, file) = certificate else {
      return "the broker asks for a client certificate (\(name)); give one, with its key"
    }
    return "the broker does not accept the certificate \(file) (\(name)); it is \(certificate.facts)"
  }
}
