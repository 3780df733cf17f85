private import Glibc

/// The few functions of OpenSSL that explain why TLS fails. libmosquitto has OpenSSL loaded but tells little; so it is asked
/// by name, and not linked. What is missing costs an explanation, and nothing else.
enum OpenSSL {
  typealias Object = UnsafeMutableRawPointer
  typealias MessageCallback =
    @convention(c) (Int32, Int32, Int32, UnsafeRawPointer?, Int, Object?, UnsafeMutableRawPointer?) -> Void

  /// The function `name`; `nil` when there is none.
  static func function<T>(_ name: String, as type: T.Type) -> T? {
    dlsym(nil, name).map { unsafeBitCast($0, to: type) }
  }

  /// Calls `callback` with `argument` for every protocol message of `connection` (SSL_set_msg_callback(3)).
  static func watch(_ connection: Object, _ argument: UnsafeMutableRawPointer, _ callback: @escaping MessageCallback) {
    typealias Set = @convention(c) (Object, MessageCallback) -> Void
    typealias Control = @convention(c) (Object, Int32, Int, UnsafeMutableRawPointer) -> Int
    guard let set = function("SSL_set_msg_callback", as: Set.self),
      let control = function("SSL_ctrl", as: Control.self)
    else { return }
    _ = control(connection, messageCallbackArgument, 0, argument)
    set(connection, callback)
  }

  /// A context (`SSL_CTX *`) whose connections call `callback` with `argument` from their first message on. The caller
  /// gives it back with ``release(_:)``.
  static func context(
    _ argument: UnsafeMutableRawPointer, _ callback: @escaping MessageCallback
  ) -> UnsafeMutableRawPointer? {
    typealias Method = @convention(c) () -> UnsafeRawPointer?
    typealias Make = @convention(c) (UnsafeRawPointer?) -> Object?
    typealias Set = @convention(c) (Object, MessageCallback) -> Void
    typealias Control = @convention(c) (Object, Int32, Int, UnsafeMutableRawPointer) -> Int
    guard let set = function("SSL_CTX_set_msg_callback", as: Set.self),
      let control = function("SSL_CTX_ctrl", as: Control.self), function("SSL_CTX_free", as: Release.self) != nil,
      let context = function("SSL_CTX_new", as: Make.self)?(function("TLS_client_method", as: Method.self)?())
    else { return nil }
    _ = control(context, messageCallbackArgument, 0, argument)
    set(context, callback)
    return context
  }

  static func release(_ context: Object) {
    function("SSL_CTX_free", as: Release.self)?(context)
  }

  private typealias Release = @convention(c) (Object) -> Void
  /// SSL_CTRL_SET_MSG_CALLBACK_ARG
  private static let messageCallbackArgument: Int32 = 16

  /// Why the peer's certificate is not accepted; `nil` if it is, or nobody knows (SSL_get_verify_result(3)).
  static func verificationProblem(_ connection: Object) -> String? {
    typealias Result = @convention(c) (Object) -> Int
    typealias Text = @convention(c) (Int) -> UnsafePointer<CChar>
    guard let result = function("SSL_get_verify_result", as: Result.self),
      let text = function("X509_verify_cert_error_string", as: Text.self)
    else { return nil }
    let code = result(connection)
    return code == 0 ? nil : String(cString: text(code))
  }

  /// What an alert is called (RFC 8446, section 6).
  static func alertName(_ number: UInt8) -> String {
    typealias Text = @convention(c) (Int32) -> UnsafePointer<CChar>
    guard let text = function("SSL_alert_desc_string_long", as: Text.self) else { return "alert \(number)" }
    return String(cString: text(Int32(number)))
  }

  /// Forgets what went wrong on this thread, so that it does not turn up as the reason of something else.
  static func clearErrors() {
    typealias Clear = @convention(c) () -> Void
    function("ERR_clear_error", as: Clear.self)?()
  }

  /// Runs `body` with a BIO that reads `bytes` (BIO_s_mem(3)).
  static func reading<T>(_ bytes: [UInt8], _ body: (Object) -> T?) -> T? {
    typealias Make = @convention(c) (UnsafeRawPointer, Int32) -> Object?
    typealias Free = @convention(c) (Object) -> Int32
    return bytes.withUnsafeBytes { raw in
      guard let base = raw.baseAddress, let make = function("BIO_new_mem_buf", as: Make.self),
        let source = make(base, Int32(raw.count))
      else { return nil }
      defer {
        _ = function("BIO_free", as: Free.self)?(source)
        clearErrors()
      }
      return body(source)
    }
  }

  /// Runs `body` with the private key in `pem`; `nil` if there is none that can be read without a passphrase. Nobody is
  /// asked for one.
  static func withPrivateKey<T>(_ pem: [UInt8], _ body: (Object) -> T) -> T? {
    typealias Passphrase =
      @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32
    typealias Read = @convention(c) (Object, UnsafeRawPointer?, Passphrase, UnsafeRawPointer?) -> Object?
    typealias Free = @convention(c) (Object) -> Void
    return reading(pem) { source in
      guard let read = function("PEM_read_bio_PrivateKey", as: Read.self),
        let key = read(source, nil, { _, _, _, _ in -1 }, nil)
      else { return nil }
      defer { function("EVP_PKEY_free", as: Free.self)?(key) }
      return body(key)
    }
  }
}
