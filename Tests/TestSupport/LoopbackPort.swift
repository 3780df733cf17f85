import Glibc

/// A TCP socket that is bound to a free port of 127.0.0.1 but does not listen yet: connections to it are refused.
public struct LoopbackPort: Sendable {
  /// The socket. The caller must close it.
  public let descriptor: Int32
  /// The port.
  public let number: UInt16

  /// Throws ``WaitedInVain`` when there is no free port.
  public init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { [descriptor] in
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard isBound else { throw WaitedInVain("no port: errno \(errno)") }
    number = UInt16(bigEndian: address.sin_port)
  }
}
