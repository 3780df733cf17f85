private import Glibc

/// Asks a broker for its certificate without judging it, to explain why it was not accepted: libmosquitto drops the
/// connection, and the certificate with it. Nothing but the handshake's first half is sent.
enum CertificateProbe {
  /// What `host` shows on `port`; `nil` if it cannot be had within 5 s at each step.
  static func certificate(of host: String, _ port: UInt16) -> X509Certificate? {
    typealias Make = @convention(c) (OpenSSL.Object) -> OpenSSL.Object?
    typealias SetDescriptor = @convention(c) (OpenSSL.Object, Int32) -> Int32
    typealias Control = @convention(c) (OpenSSL.Object, Int32, Int, UnsafePointer<CChar>) -> Int
    typealias Step = @convention(c) (OpenSSL.Object) -> Int32
    typealias Free = @convention(c) (OpenSSL.Object) -> Void
    let socket = connect(to: host, port)
    guard socket >= 0 else { return nil }
    defer { close(socket) }
    let handshake = Handshake()
    guard let context = handshake.watchedContext() else { return nil }
    defer { OpenSSL.release(context) }
    guard let connection = OpenSSL.function("SSL_new", as: Make.self)?(context) else { return nil }
    defer { OpenSSL.function("SSL_free", as: Free.self)?(connection) }
    _ = OpenSSL.function("SSL_set_fd", as: SetDescriptor.self)?(connection, socket)
    // SSL_set_tlsext_host_name(3): a broker may have a certificate for each of its names.
    let (setHostName, nameTypeHost): (Int32, Int) = (55, 0)
    if !isAddress(host) {
      _ = OpenSSL.function("SSL_ctrl", as: Control.self)?(connection, setHostName, nameTypeHost, host)
    }
    _ = OpenSSL.function("SSL_connect", as: Step.self)?(connection)
    OpenSSL.clearErrors()
    return handshake.brokerCertificate
  }

  private static func isAddress(_ host: String) -> Bool {
    var buffer = in6_addr()
    return inet_pton(AF_INET, host, &buffer) == 1 || inet_pton(AF_INET6, host, &buffer) == 1
  }

  /// A connected socket, or -1.
  private static func connect(to host: String, _ port: UInt16) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &found) == 0 else { return -1 }
    defer { freeaddrinfo(found) }
    var next = found
    while let address = next?.pointee {
      next = address.ai_next
      let descriptor = socket(
        address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.ai_protocol)
      guard descriptor >= 0 else { continue }
      var limit = timeval(tv_sec: 5, tv_usec: 0)
      for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
      }
      if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
      close(descriptor)
    }
    return -1
  }
}
