private import Glibc

/// The files that TLS is set up with, looked at before the library does: it says little about what is wrong, tries again
/// what cannot succeed, and would ask a terminal for the passphrase of a key.
struct TLSFiles {
  /// This client's certificate, if it shows one.
  let certificate: X509Certificate?

  /// Reads all of them; throws ``MQTTError/tls(_:)`` that names the file.
  init(_ options: TLSOptions) throws(MQTTError) {
    if let path = options.caFile, X509Certificate(pem: try content(path, "the CA file")) == nil {
      throw .tls("the CA file \(path) holds no certificate in PEM form")
    }
    switch (options.certificateFile, options.keyFile) {
    case (nil, nil): certificate = nil
    case (let path?, nil): throw .tls("the key of the certificate \(path) is missing; give the key file, too")
    case (nil, let path?): throw .tls("the certificate of the key \(path) is missing; give the certificate file, too")
    case (let path?, let keyPath?):
      guard let certificate = X509Certificate(pem: try content(path, "the certificate file")) else {
        throw .tls("the certificate file \(path) holds no certificate in PEM form")
      }
      self.certificate = certificate
      try check(keyPath, of: certificate, path)
    }
  }
}

private func check(_ path: String, of certificate: X509Certificate, _ certificatePath: String) throws(MQTTError) {
  let pem = try content(path, "the key file")
  switch OpenSSL.withPrivateKey(pem, { certificate.fits($0) }) {
  case true: return
  case false:
    throw .tls("the key \(path) does not belong to the certificate \(certificatePath), which is \(certificate.facts)")
  case nil:
    let text = String(decoding: pem, as: UTF8.self)
    // RFC 7468 and, for the older form, RFC 1421.
    guard text.contains("ENCRYPTED") else { throw .tls("the key file \(path) holds no private key in PEM form") }
    throw .tls(
      "the key \(path) is encrypted, and nobody is asked for its passphrase; decrypt it, as in 'openssl pkey -in \(path) "
        + "-out worker.key', and let only the worker's user read it")
  }
}

private func content(_ path: String, _ what: String) throws(MQTTError) -> [UInt8] {
  let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
  guard file >= 0 else { throw .tls("\(what) \(path) cannot be read: \(String(cString: strerror(errno)))") }
  defer { close(file) }
  var bytes: [UInt8] = []
  var block = [UInt8](repeating: 0, count: 64 << 10)
  while bytes.count < 16 << 20 {
    let count = read(file, &block, block.count)
    guard count >= 0 else { throw .tls("\(what) \(path) cannot be read: \(String(cString: strerror(errno)))") }
    if count == 0 { break }
    bytes += block[..<count]
  }
  return bytes
}
