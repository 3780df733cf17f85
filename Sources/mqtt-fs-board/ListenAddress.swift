import FlyingSocks
import Glibc
import Jobs

/// An IP address and a port to listen on.
struct ListenAddress: CustomStringConvertible, Sendable {
  /// The address, without brackets.
  let host: String
  /// The port; 0 for any free one.
  let port: UInt16
  private let isIP6: Bool

  /// Parses `127.0.0.1:8300`, `[::1]:8300`, `localhost:8300`, or only a port. Throws ``Misconfiguration``: a name could
  /// have addresses that nobody thought of.
  init(_ text: String) throws(Misconfiguration) {
    let colon = text.lastIndex(of: ":")
    let digits = colon.map { text[text.index(after: $0)...] } ?? text[...]
    var name = colon.map { String(text[..<$0]) } ?? "127.0.0.1"
    if name == "localhost" { name = "127.0.0.1" }
    let isBracketed = name.hasPrefix("[") && name.hasSuffix("]")
    let bare = isBracketed ? String(name.dropFirst().dropLast()) : name
    var bytes = in6_addr()
    let family = isBracketed ? AF_INET6 : AF_INET
    guard let port = UInt16(digits), inet_pton(family, bare, &bytes) == 1 else {
      throw Misconfiguration(
        "cannot listen on \(text.quoted): give an IP address and a port, as in 127.0.0.1:8300, 0.0.0.0:8300 or [::1]:8300"
      )
    }
    (host, self.port, isIP6) = (bare, port, isBracketed)
  }

  /// Whether only this host can reach it.
  var isLoopback: Bool {
    if isIP6 { return host == "::1" }
    return host.hasPrefix("127.")
  }

  /// The address as in a URL, with its port.
  var description: String { with(port: port) }

  /// The same with another port.
  func with(port: UInt16) -> String { isIP6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// The address for the server; `port` replaces a port of 0.
  func socketAddress(port: UInt16) throws -> any SocketAddress {
    isIP6 ? try sockaddr_in6.inet6(ip6: host, port: port) : try sockaddr_in.inet(ip4: host, port: port)
  }
}
