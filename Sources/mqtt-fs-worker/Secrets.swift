import CLinux
import Glibc

/// Keeps the broker's password from the steps, which run as the worker's own user and can read its `/proc/<pid>/environ`
/// and `cmdline` (proc(5)).
enum Secrets {
  private static let variables = ["MQTT_PASSWORD"]
  private static let flags = ["-p", "--password"]

  /// Wipes passwords from where this process was given them. Call it when they have been read.
  static func wipe() {
    linux_forbid_inspection()
    for name in variables {
      if let value = getenv(name) { wipe(value) }
    }
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index] else { continue }
      let text = String(cString: argument)
      if flags.contains(text), let value = CommandLine.unsafeArgv[index + 1] {
        wipe(value)
      } else if text.hasPrefix("--password=") {
        wipe(argument + "--password=".utf8.count)
      }
    }
  }

  /// Puts back what a next life of this process reads again.
  static func restore(_ environment: Environment) {
    for name in variables {
      if let value = environment[name] { setenv(name, value, 1) }
    }
  }

  private static func wipe(_ value: UnsafeMutablePointer<CChar>) {
    memset(value, Int32(UInt8(ascii: "x")), strlen(value))
  }
}
