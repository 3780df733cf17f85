internal import CMosquitto
private import Glibc

/// The TLS settings for one broker: trusted CAs, expected host name, and client certificate (`SSL_CTX`). libmosquitto
/// receives it complete (`MOSQ_OPT_SSL_CTX`) and adds nothing: its own handling of files differs by version.
///
/// The files are read here, once, and an error names the file. No passphrase for a key is asked for.
final class TLSContext {
  /// For libmosquitto.
  let pointer: OpaquePointer
  /// The record of each connection's handshake.
  let handshake: TLSHandshake
  private let trusted: String

  init(_ options: TLSOptions, host: String) throws(MQTTError) {
    guard let context = SSL_CTX_new(TLS_client_method()) else {
      throw .tls("TLS cannot be set up: \(OpenSSL.takeErrors().joined(separator: "; "))")
    }
    pointer = context
    trusted = options.caFile ?? "the system's CAs, give another CA with --ca-certs"
    handshake = TLSHandshake()
    _ = openssl_set_minimum_version(context, TLS1_2_VERSION)
    try trust(options.caFile)
    expect(host)
    try show(options.certificateFile, options.keyFile)
    handshake.watch(context)
  }

  deinit {
    SSL_CTX_free(pointer)
  }

  /// Trusts the CAs in `file`; without one, the system's: OpenSSL's own, or those in SSL_CERT_FILE and SSL_CERT_DIR
  /// (SSL_CTX_set_default_verify_paths(3)).
  private func trust(_ file: String?) throws(MQTTError) {
    guard let file else {
      guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
        throw .tls("the system's CAs cannot be read: \(OpenSSL.takeErrors().joined(separator: "; "))")
      }
      ERR_clear_error()
      return
    }
    guard X509Certificate(pem: try content(file, "the CA file")) != nil,
      SSL_CTX_load_verify_locations(pointer, file, nil) == 1
    else {
      ERR_clear_error()
      throw .tls("the CA file \(file) holds no certificate in PEM form")
    }
  }

  /// The certificate must be for `host`, a name or an address (X509_check_host(3)).
  private func expect(_ host: String) {
    let parameters = SSL_CTX_get0_param(pointer)
    if X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1 {
      X509_VERIFY_PARAM_set1_host(parameters, host, 0)
    }
    ERR_clear_error()
  }

  /// Uses the certificate in `file`, with the chain that follows in it, for a broker that requests one.
  private func show(_ file: String?, _ keyFile: String?) throws(MQTTError) {
    switch (file, keyFile) {
    case (nil, nil): return
    case (let path?, nil): throw .tls("the key of the certificate \(path) is missing; give the key file, too")
    case (nil, let path?): throw .tls("the certificate of the key \(path) is missing; give the certificate file, too")
    case (let path?, let keyPath?):
      guard let certificate = X509Certificate(pem: try content(path, "the certificate file")) else {
        throw .tls("the certificate file \(path) holds no certificate in PEM form")
      }
      guard SSL_CTX_use_certificate_chain_file(pointer, path) == 1 else {
        throw .tls("the certificate file \(path) cannot be used: \(OpenSSL.takeErrors().joined(separator: "; "))")
      }
      try use(keyPath, of: certificate, path)
      handshake.certificate = (certificate, path)
    }
  }

  private func use(_ path: String, of certificate: X509Certificate, _ certificatePath: String) throws(MQTTError) {
    let pem = try content(path, "the key file")
    let isTaken = OpenSSL.withPrivateKey(pem) { certificate.fits($0) && SSL_CTX_use_PrivateKey(pointer, $0) == 1 }
    switch isTaken {
    case true: return
    case false:
      throw .tls("the key \(path) does not belong to the certificate \(certificatePath), which is \(certificate.facts)")
    case nil:
      let text = String(decoding: pem, as: UTF8.self)
      // Encrypted keys in PEM form: RFC 7468 and, for the older form, RFC 1421.
      guard text.contains("ENCRYPTED") else { throw .tls("the key file \(path) holds no private key in PEM form") }
      throw .tls(
        "the key \(path) is encrypted, and there is no prompt for its passphrase; decrypt it, as in 'openssl pkey -in \(path) "
          + "-out worker.key', and let only the worker's user read it")
    }
  }

  /// Why the broker's certificate was not accepted; `nil` if it was.
  func problem(of host: String) -> String? {
    guard let problem = handshake.problem else { return nil }
    let broker = handshake.brokerCertificate.map { "; it is \($0.facts)" } ?? ""
    let isOfAnother = problem.code == X509_V_ERR_HOSTNAME_MISMATCH || problem.code == X509_V_ERR_IP_ADDRESS_MISMATCH
    guard !isOfAnother else { return "the broker's certificate is not for the host name '\(host)'\(broker)" }
    let reason = String(cString: X509_verify_cert_error_string(Int(problem.code)))
    // In a chain, another certificate may be at fault.
    let other = problem.depth > 0 ? problem.certificate.map { "; the certificate at fault is \($0.facts)" } ?? "" : ""
    return "the broker's certificate is not accepted: \(reason); trusted: \(trusted)\(broker)\(other)"
  }
}

private func content(_ path: String, _ what: String) throws(MQTTError) -> [UInt8] {
  func unreadable() -> MQTTError { .tls("\(what) \(path) cannot be read: \(String(cString: strerror(errno)))") }
  let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
  guard file >= 0 else { throw unreadable() }
  defer { close(file) }
  var bytes: [UInt8] = []
  var block = [UInt8](repeating: 0, count: 64 << 10)
  while bytes.count < 16 << 20 {
    let count = read(file, &block, block.count)
    guard count >= 0 else { throw unreadable() }
    if count == 0 { break }
    bytes += block[..<count]
  }
  return bytes
}

/// OpenSSL calls that do not concern a connection.
enum OpenSSL {
  /// The name of an alert (RFC 8446, section 6).
  static func alertName(_ number: UInt8) -> String {
    String(cString: SSL_alert_desc_string_long(Int32(number)))
  }

  /// Returns this thread's errors and clears them, so that a later failure does not report them.
  static func takeErrors() -> [String] {
    var texts: [String] = []
    while true {
      let code = ERR_get_error()
      guard code != 0 else { return texts }
      texts.append(ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)")
    }
  }

  /// Runs `body` with a BIO that reads `bytes` (BIO_s_mem(3)).
  static func reading<T>(_ bytes: [UInt8], _ body: (OpaquePointer) -> T?) -> T? {
    bytes.withUnsafeBytes { raw in
      guard let source = BIO_new_mem_buf(raw.baseAddress, Int32(clamping: raw.count)) else { return nil }
      defer {
        BIO_free(source)
        ERR_clear_error()
      }
      return body(source)
    }
  }

  /// Runs `body` with the private key in `pem`; returns `nil` if it holds none that can be read without a passphrase,
  /// which is never asked for.
  static func withPrivateKey<T>(_ pem: [UInt8], _ body: (OpaquePointer) -> T) -> T? {
    reading(pem) { source in
      guard let key = PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil) else { return nil }
      defer { EVP_PKEY_free(key) }
      return body(key)
    }
  }
}
