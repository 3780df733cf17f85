internal import CMosquitto

/// What OpenSSL is asked for besides a connection.
enum OpenSSL {
  /// What an alert is called (RFC 8446, section 6).
  static func alertName(_ number: UInt8) -> String {
    String(cString: SSL_alert_desc_string_long(Int32(number)))
  }

  /// What went wrong last on this thread; it is forgotten, so that it does not turn up as the reason of something else.
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

  /// Runs `body` with the private key in `pem`; `nil` if there is none that can be read without a passphrase. Nobody is
  /// asked for one.
  static func withPrivateKey<T>(_ pem: [UInt8], _ body: (OpaquePointer) -> T) -> T? {
    reading(pem) { source in
      guard let key = PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil) else { return nil }
      defer { EVP_PKEY_free(key) }
      return body(key)
    }
  }
}
