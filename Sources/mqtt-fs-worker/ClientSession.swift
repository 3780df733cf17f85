import Client
import Logging
import MQTT

extension BrokerOptions {
  /// Opens the session of a command that is no worker, for as long as `body` runs. Its client id, `<prefix><command>-<random>`,
  /// is used once: any number of them run beside each other. The password is wiped from where it was given.
  func withClient<T: Sendable>(
    _ command: String, _ environment: Environment, logger: Logger, keptFor expiry: UInt32 = 0,
    _ body: (BrokerClient) async throws -> T
  ) async throws -> T {
    var options = try session("\(command)-\(randomSuffix())", environment)
    let giveUpAfter = try giveUpAfter(environment)
    Secrets.wipe()
    if options.version == .v5, expiry > 0 {
      // What comes while the connection is down waits for it.
      options.sessionExpiry = expiry
    } else {
      options.start = .clean
    }
    return try await BrokerClient.withClient(options, giveUpAfter: giveUpAfter, logger: logger, body)
  }
}

/// 12 hexadecimal digits: with a short command before it a client id has no more than the 23 characters that every broker
/// takes (MQTT 3.1.1, section 3.1.3.1).
private func randomSuffix() -> String {
  let digits = String(UInt64.random(in: 0..<1 << 48), radix: 16)
  return String(repeating: "0", count: 12 - digits.count) + digits
}
