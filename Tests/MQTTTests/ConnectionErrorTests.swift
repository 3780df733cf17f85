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

  /// The library alone would wait for the keep-alive and a half.
  @Test func silentBrokerIsWaitedForAsLongAsTheUserWants() async throws {
    let port = try LoopbackPort()
    defer { close(port.descriptor) }
    #expect(listen(port.descriptor, 1) == 0)
    var options = SessionOptions(host: "127.0.0.1", port: port.number, clientID: "client")
    options.keepAlive = .max
    let session = try Session(options, giveUpAfter: .milliseconds(500), logger: silent)
    let failure = try await Reading(session).failure()
    #expect("\(failure)".contains("127.0.0.1:\(port.number) does not answer CONNECT"))
    session.drop()
  }
}
