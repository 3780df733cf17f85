private import CMosquitto

/// A certificate, and the facts that explain why it is not accepted.
final class X509Certificate {
  private let handle: OpaquePointer

  /// Takes ownership of a reference to `handle` (X509_up_ref(3)).
  private init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  deinit {
    X509_free(handle)
  }

  /// The first certificate in a PEM file.
  convenience init?(pem: [UInt8]) {
    guard let handle = OpenSSL.reading(pem, { PEM_read_bio_X509($0, nil, { _, _, _, _ in -1 }, nil) }) else {
      return nil
    }
    self.init(handle)
  }

  /// Reads a certificate in DER form, as in a TLS message.
  convenience init?(der: [UInt8]) {
    guard let handle = OpenSSL.reading(der, { d2i_X509_bio($0, nil) }) else { return nil }
    self.init(handle)
  }

  /// Shares a certificate (`X509 *`) with another owner.
  convenience init(sharing handle: OpaquePointer) {
    X509_up_ref(handle)
    self.init(handle)
  }

  /// Whether `key` is its private key.
  func fits(_ key: OpaquePointer) -> Bool {
    defer { ERR_clear_error() }
    return X509_check_private_key(handle, key) == 1
  }

  /// Its subject, issuer, hosts and validity.
  var facts: String {
    let hosts = names.map { ", for \($0)" } ?? ""
    return
      "'\(text(X509_get_subject_name(handle)))', issued by '\(text(X509_get_issuer_name(handle)))'\(hosts), valid from "
      + "\(text(X509_get0_notBefore(handle))) to \(text(X509_get0_notAfter(handle)))"
  }

  private func text(_ name: OpaquePointer?) -> String {
    var buffer = [CChar](repeating: 0, count: 512)
    guard let name, X509_NAME_oneline(name, &buffer, Int32(buffer.count)) != nil else { return "?" }
    return printable(buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
  }

  private func text(_ stamp: UnsafePointer<ASN1_TIME>?) -> String {
    var time = tm()
    guard let stamp, ASN1_TIME_to_tm(stamp, &time) == 1 else { return "?" }
    var buffer = [CChar](repeating: 0, count: 64)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &time)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The subject's alternative names, as in `DNS:localhost, IP Address:127.0.0.1`.
  private var names: String? {
    let place = X509_get_ext_by_NID(handle, NID_subject_alt_name, -1)
    guard place >= 0, let found = X509_get_ext(handle, place), let text = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(text) }
    guard X509V3_EXT_print(text, found, 0, 0) == 1 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 512)
    let count = BIO_read(text, &buffer, Int32(buffer.count))
    return count > 0 ? printable(Array(buffer[..<Int(count)])) : nil
  }
}

/// Replaces control characters: a certificate must not forge a log line.
private func printable(_ bytes: [UInt8]) -> String {
  String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
}
