/// Decides which environment variables hold secrets: those that a user names, and those with a typical name.
package struct SecretNames: Sendable {
  /// A name that is one of these, or ends with `_` and one of these, in any case, denotes a secret.
  static let endings = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"]
  private static let suffixes = endings.map { "_\($0)" }
  /// Well-known names that end so without `_`.
  static let wellKnown: Set<String> = ["PGPASSWORD", "MYSQL_PWD"]

  private let named: Set<String>

  /// Adds `named` to the usual names.
  package init(_ named: some Sequence<String> = []) {
    self.named = Set(named)
  }

  /// Whether the variable `name` holds a secret.
  package func contains(_ name: String) -> Bool {
    if named.contains(name) || SecretNames.wellKnown.contains(name) { return true }
    let upper = name.uppercased()
    return SecretNames.endings.contains(upper) || SecretNames.suffixes.contains { upper.hasSuffix($0) }
  }

  /// The secrets among `variables`, by name.
  package func secrets(in variables: [String: String]) -> [String: String] {
    variables.filter { contains($0.key) && !$0.value.isEmpty }
  }
}
