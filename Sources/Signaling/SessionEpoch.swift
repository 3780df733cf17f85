/// One session that the broker keeps for a client, from its creation until the broker loses it.
package struct SessionEpoch: Sendable {
  /// The client id.
  package let clientID: String
  /// A random name. It changes whenever the broker reports that it has no session (CONNACK, MQTT 5 section 3.2.2.1.1).
  package let name: String

  /// A new random name.
  package static func newName() -> String { String(UInt64.random(in: 0 ... .max), radix: 36) }
}
