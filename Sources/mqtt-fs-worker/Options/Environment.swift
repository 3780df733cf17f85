import ArgumentParser
import FoundationEssentials
import Steps

/// Settings from the environment, for options that are not in the arguments.
struct Environment {
  let variables: [String: String]

  static let current = Environment(variables: StepEnvironment.inherited())

  /// The value of `name`; `nil` also for an empty one, so that a compose file can pass `${X:-}`.
  subscript(name: String) -> String? {
    variables[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// `1`, `true`, `yes`, `on`, or `0`, `false`, `no`, `off`.
  func flag(_ name: String) throws -> Bool {
    guard let text = self[name] else { return false }
    switch text.lowercased() {
    case "1", "true", "yes", "on": return true
    case "0", "false", "no", "off": return false
    default: throw ValidationError("\(name)=\(text) is neither true nor false")
    }
  }

  /// The value of `name` as `T`, parsed as an option's value.
  func value<T: ExpressibleByArgument>(_ name: String) throws -> T? {
    guard let text = self[name] else { return nil }
    guard let value = T(argument: text) else { throw ValidationError("\(name)=\(text) is not a valid value") }
    return value
  }

  /// A secret: the content of the file that `<name>_FILE` names, or the value of `name`.
  func secret(_ name: String) throws -> String? {
    if let path = self["\(name)_FILE"] { return try secretFile(path) }
    return self[name]
  }
}

/// The first line of a file that holds nothing but a secret.
func secretFile(_ path: String) throws -> String {
  guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
    throw ValidationError("\(path) cannot be read; it should hold the password on its first line")
  }
  return text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
}
