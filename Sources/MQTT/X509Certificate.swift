private import Glibc

/// What somebody must know of a certificate to see why it is not accepted.
final class X509Certificate {
  private let handle: OpenSSL.Object

  private init(_ handle: OpenSSL.Object) {
    self.handle = handle
  }

  deinit {
    typealias Free = @convention(c) (OpenSSL.Object) -> Void
    OpenSSL.function("X509_free", as: Free.self)?(handle)
  }

  /// The first certificate in a PEM file.
  convenience init?(pem: [UInt8]) {
    typealias Read =
      @convention(c) (OpenSSL.Object, UnsafeRawPointer?, UnsafeRawPointer?, UnsafeRawPointer?) ->
      OpenSSL.Object?
    let handle = OpenSSL.reading(pem) { OpenSSL.function("PEM_read_bio_X509", as: Read.self)?($0, nil, nil, nil) }
    guard let handle else { return nil }
    self.init(handle)
  }

  /// A certificate as it travels.
  convenience init?(der: [UInt8]) {
    typealias Read = @convention(c) (OpenSSL.Object, UnsafeRawPointer?) -> OpenSSL.Object?
    let handle = OpenSSL.reading(der) { OpenSSL.function("d2i_X509_bio", as: Read.self)?($0, nil) }
    guard let handle else { return nil }
    self.init(handle)
  }

  /// Whether `key` is its key.
  func fits(_ key: OpenSSL.Object) -> Bool {
    typealias Check = @convention(c) (OpenSSL.Object, OpenSSL.Object) -> Int32
    defer { OpenSSL.clearErrors() }
    return OpenSSL.function("X509_check_private_key", as: Check.self).map { $0(handle, key) == 1 } ?? true
  }

  /// Whose it is, whose word it is, for which hosts and for how long.
  var facts: String {
    let hosts = names.map { ", for \($0)" } ?? ""
    return "'\(name("X509_get_subject_name"))', issued by '\(name("X509_get_issuer_name"))'\(hosts), valid from "
      + "\(time("X509_get0_notBefore")) to \(time("X509_get0_notAfter"))"
  }

  private func name(_ part: String) -> String {
    typealias Get = @convention(c) (OpenSSL.Object) -> OpenSSL.Object?
    typealias Text = @convention(c) (OpenSSL.Object, UnsafeMutablePointer<CChar>, Int32) -> UnsafePointer<CChar>?
    var buffer = [CChar](repeating: 0, count: 512)
    guard let name = OpenSSL.function(part, as: Get.self)?(handle),
      OpenSSL.function("X509_NAME_oneline", as: Text.self)?(name, &buffer, Int32(buffer.count)) != nil
    else { return "?" }
    return printable(buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
  }

  private func time(_ part: String) -> String {
    typealias Get = @convention(c) (OpenSSL.Object) -> OpenSSL.Object?
    typealias Convert = @convention(c) (OpenSSL.Object, UnsafeMutablePointer<tm>) -> Int32
    var time = tm()
    guard let stamp = OpenSSL.function(part, as: Get.self)?(handle),
      OpenSSL.function("ASN1_TIME_to_tm", as: Convert.self)?(stamp, &time) == 1
    else { return "?" }
    var buffer = [CChar](repeating: 0, count: 64)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &time)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The subject's alternative names, as in `DNS:localhost, IP Address:127.0.0.1`.
  private var names: String? {
    typealias Find = @convention(c) (OpenSSL.Object, Int32, Int32) -> Int32
    typealias Get = @convention(c) (OpenSSL.Object, Int32) -> OpenSSL.Object?
    typealias Method = @convention(c) () -> UnsafeRawPointer?
    typealias Make = @convention(c) (UnsafeRawPointer?) -> OpenSSL.Object?
    typealias Print = @convention(c) (OpenSSL.Object, OpenSSL.Object, UInt, Int32) -> Int32
    typealias Read = @convention(c) (OpenSSL.Object, UnsafeMutableRawPointer, Int32) -> Int32
    typealias Free = @convention(c) (OpenSSL.Object) -> Int32
    let subjectAltName: Int32 = 85
    guard let place = OpenSSL.function("X509_get_ext_by_NID", as: Find.self)?(handle, subjectAltName, -1), place >= 0,
      let found = OpenSSL.function("X509_get_ext", as: Get.self)?(handle, place),
      let text = OpenSSL.function("BIO_new", as: Make.self)?(OpenSSL.function("BIO_s_mem", as: Method.self)?())
    else { return nil }
    defer { _ = OpenSSL.function("BIO_free", as: Free.self)?(text) }
    guard OpenSSL.function("X509V3_EXT_print", as: Print.self)?(text, found, 0, 0) == 1 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 512)
    let count = OpenSSL.function("BIO_read", as: Read.self)?(text, &buffer, Int32(buffer.count)) ?? 0
    return count > 0 ? printable(Array(buffer[..<Int(count)])) : nil
  }
}

/// A certificate can say anything: it must not forge a line of a log.
private func printable(_ bytes: [UInt8]) -> String {
  String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
}
