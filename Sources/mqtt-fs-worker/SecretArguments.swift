/// Arguments that may be shown.
enum SecretArguments {
  /// The same arguments with `…` in place of what is, or may have been meant as, a password: the value of an option that is
  /// called so here or elsewhere, and what stands before the `@` of a URL.
  static func masked(_ arguments: [String]) -> [String] {
    var isValue = false
    return arguments.map { argument in
      defer { isValue = takesPassword(argument) }
      // A value that begins with a dash is no value for the parser.
      if isValue { return argument.hasPrefix("-") ? "-…" : "…" }
      if let sign = argument.firstIndex(of: "="), argument.hasPrefix("-") {
        let name = argument[..<sign]
        let value = String(argument[argument.index(after: sign)...])
        return "\(name)=\(takesPassword(String(name)) ? "…" : withoutUser(value))"
      }
      for letter in ["-p", "-P"] where argument.hasPrefix(letter) && argument != letter { return "\(letter)…" }
      return withoutUser(argument)
    }
  }

  private static func takesPassword(_ name: String) -> Bool {
    if name == "-p" || name == "-P" { return true }
    return name != "--password-file" && ["--pass", "--pw"].contains { name.lowercased().hasPrefix($0) }
  }

  private static func withoutUser(_ text: String) -> String {
    guard let at = text.lastIndex(of: "@"), text[..<at].contains(":") else { return text }
    return withoutPassword(text)
  }
}
