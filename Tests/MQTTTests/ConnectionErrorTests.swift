import Glibc
import MQTT
import TestSupport
import Testing

/// What is said of a connection that cannot be had.
@Suite struct ConnectionErrorTests {
  /// A port on which nobody listens, held until `body` is over.
  private func withDeadPort(_ body: (UInt16) async throws -> Void) async throws {
    let holder = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(holder) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(holder, $0, size) == 0 && getsockname(holder, $0, &size) == 0
      }
    }
    try #require(isBound)
    try await body(UInt16(bigEndian: address.sin_port))
  }

  @Test func refusedConnectionIsToldAsOne() async throws {
    try await withDeadPort { port in
      let session = try Session(
        SessionOptions(host: "127.0.0.1", port: port, clientID: "client"), logger: silent)
      let loss = try await Reading(session).connectionLost()
      #expect(loss == .unreachable("broker 127.0.0.1:\(port): Connection refused"))
      session.drop()
    }
  }
}
