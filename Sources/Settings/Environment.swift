package import ArgumentParser
import FoundationEssentials
import Glibc
import Steps

/// Settings from the environment, for options that are not in the arguments.
package struct Environment {
  package let variables: [String: String]

  package static let current = Environment(variables: StepEnvironment.inherited())

  /// Settings from these variables.
  package init(variables: [String: String]) {
    self.variables = variables
  }

  /// The value of `name`; `nil` also for an empty one, so that a compose file can pass `${X:-}`.
  package subscript(name: String) -> String? {
    variables[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// `1`, `true`, `yes`, `on`, or `0`, `false`, `no`, `off`.
  package func flag(_ name: String) throws -> Bool {
    guard let text = self[name] else { return false }
    switch text.lowercased() {
    case "1", "true", "yes", "on": return true
    case "0", "false", "no", "off": return false
    default: throw ValidationError("\(name)=\(text) is neither true nor false: give 1 or 0")
    }
  }

  /// The value of `name` as `T`, parsed as an option's value.
  package func value<T: ExpressibleByArgument>(_ name: String) throws -> T? {
    guard let text = self[name] else { return nil }
    guard let value = T(argument: text) else {
      throw ValidationError("\(name)=\(text) is not valid; --help shows the form of this option")
    }
    return value
  }

  /// A secret: the content of the file that `<name>_FILE` names, or the value of `name`.
  package func secret(_ name: String) throws -> String? {
    if let path = self["\(name)_FILE"] { return try secretFile(path) }
    return self[name]
  }
}

/// The first line of a file that holds nothing but a secret.
package func secretFile(_ path: String) throws -> String {
  guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
    throw ValidationError("\(path) cannot be read; it should hold the password on its first line")
  }
  return text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
}

/// Hides the broker's password from the steps, which run as the worker's own user and can read its
/// `/proc/<pid>/environ` and `cmdline` (proc(5)).
package enum Secrets {
  private static let variables = ["MQTT_PASSWORD", "MQTT_URL"]

  /// Overwrites passwords in the arguments and the environment. Call it after the parsing; ``Environment/current``
  /// keeps the values.
  package static func wipe() {
    _ = Environment.current
    for name in variables {
      guard let value = getenv(name) else { continue }
      if name == "MQTT_URL" { wipePassword(inURL: value) } else { wipe(value) }
    }
    forEachSecretArgument { value, isURL in isURL ? wipePassword(inURL: value) : wipe(value) }
  }

  /// Whether the arguments have a password, which others can see until it is wiped.
  package static var areInArguments: Bool {
    var found = false
    forEachSecretArgument { value, isURL in
      found = found || (isURL ? password(inURL: value) != nil : true)
    }
    return found
  }

  /// Calls `body` with the values of options that are or may contain a password.
  private static func forEachSecretArgument(_ body: (UnsafeMutablePointer<CChar>, _ isURL: Bool) -> Void) {
    let options = [("-p", false), ("--password", false), ("-u", true), ("--url", true)]
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index] else { continue }
      let text = String(cString: argument)
      for (option, isURL) in options {
        if text == option, let value = CommandLine.unsafeArgv[index + 1] {
          body(value, isURL)
        } else if text.hasPrefix("\(option)=") {
          body(argument + option.utf8.count + 1, isURL)
        }
      }
    }
  }

  /// The text between the first `:` of the user's part and its `@`.
  private static func password(inURL value: UnsafeMutablePointer<CChar>) -> UnsafeMutableRawBufferPointer? {
    let bytes = UnsafeMutableRawBufferPointer(start: value, count: strlen(value))
    let start = strstr(value, "://").map { $0 - value + 3 } ?? 0
    guard let end = bytes.lastIndex(of: UInt8(ascii: "@")), start < end,
      let colon = bytes[start..<end].firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    return UnsafeMutableRawBufferPointer(rebasing: bytes[(colon + 1)..<end])
  }

  private static func wipePassword(inURL value: UnsafeMutablePointer<CChar>) {
    password(inURL: value)?.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "x"))
  }

  private static func wipe(_ value: UnsafeMutablePointer<CChar>) {
    memset(value, Int32(UInt8(ascii: "x")), strlen(value))
  }
}

/// Arguments for messages.
package enum SecretArguments {
  /// The same arguments with `…` for everything that is or may be meant as a password: the values of password options
  /// here and in other programs, and the user's part of URLs.
  package static func masked(_ arguments: [String]) -> [String] {
    var isValue = false
    return arguments.map { argument in
      defer { isValue = takesPassword(argument) }
      // The parser takes no value that starts with a dash.
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
