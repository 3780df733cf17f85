/// Decides whether the Last Will is retained on the next connection.
///
/// A 3.1.1 broker without retained messages cannot say so: mosquitto closes the connection at a retained will. After
/// two such ends in succession, the will is sent unretained, and retained again if that does not help.
struct WillRetention {
  /// The will is sent unretained, although the caller wants it retained.
  private(set) var isDemoted = false
  /// CONNECT was sent on the present connection.
  var hasAsked = false
  /// The number of connections in succession that the broker closed instead of answering.
  private(set) var silentRefusals = 0

  /// The broker answered CONNECT.
  mutating func accepted() { silentRefusals = 0 }

  /// A connection ended before the broker answered. Changes the will's retention in `options` if the next connection
  /// should use the other value; returns whether it did.
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
