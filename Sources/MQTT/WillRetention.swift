/// Whether the Last Will is to be retained on the next connection.
///
/// A 3.1.1 broker that keeps nothing retained has no word for it: at a will that is to be retained it closes the connection
/// (mosquitto). After two such ends, running, it is tried without, and with it again when that does not help.
struct WillRetention {
  /// The will is not to be retained, though it was meant to be.
  private(set) var isDemoted = false
  /// CONNECT was sent on the present connection.
  var hasAsked = false
  /// How often, running, the broker closed the connection instead of answering.
  private var silentRefusals = 0

  /// The broker answered CONNECT.
  mutating func accepted() { silentRefusals = 0 }

  /// A connection ended before the broker answered. Changes the will's retention in `options` when the next one should have the
  /// other; returns whether it did.
  mutating func refused(_ options: inout SessionOptions) -> Bool {
    silentRefusals = hasAsked ? silentRefusals + 1 : 0
    guard options.version == .v311, silentRefusals >= 2, let will = options.will,
      will.retention == .retained || isDemoted
    else { return false }
    isDemoted.toggle()
    options.will?.retention = isDemoted ? .notRetained : .retained
    return true
  }
}
