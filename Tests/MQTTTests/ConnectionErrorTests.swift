import Glibc
import MQTT
import TestSupport
import Testing

/// Errors for connections that fail.
@Suite struct ConnectionErrorTests {
  @Test func refusedConnectionIsToldAsOne() async throws {
    let port = try LoopbackPort()
    defer { close(port.descriptor) }
    let session = try Session(
      SessionOptions(host: "127.0.0.1", port: port.number, clientID: "client"), logger: silent)
    let loss = try await Reading(session).connectionLost()
    #expect(loss == .unreachable("broker 127.0.0.1:\(port.number): Connection refused"))
    session.drop()
  }
}
