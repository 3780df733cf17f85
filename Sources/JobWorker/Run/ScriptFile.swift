import CLinux
import Glibc
import SystemPackage

/// A script that is too long for an argument, in a file without a name (memfd_create(2)).
/// The step opens it by the path of this process's descriptor, because it inherits none itself; so it must be kept
/// open until the step has ended.
final class ScriptFile: Sendable {
  /// MAX_ARG_STRLEN of Linux: 32 pages of 4 KiB, with the terminating NUL.
  static let argumentLimit = 131_072

  private let descriptor: Int32

  /// Throws what memfd_create or write answers, ENOMEM above all.
  init(_ script: String) throws(Errno) {
    descriptor = linux_memfd("script")
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    var rest = Array(script.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else {
        if errno == EINTR { continue }
        let error = Errno(rawValue: errno)
        close(descriptor)
        throw error
      }
      rest = rest.dropFirst(count)
    }
  }

  deinit { close(descriptor) }

  /// argv of a command, and the file that must live as long as the step if its script is too long for an argument.
  static func arguments(of command: StepCommand) throws(SpawnError) -> (arguments: [String], file: ScriptFile?) {
    guard let script = command.script else { return (command.arguments, nil) }
    guard script.utf8.count >= argumentLimit else { return (command.arguments + [script], nil) }
    do throws(Errno) {
      let file = try ScriptFile(script)
      return (file.arguments(for: command.arguments), file)
    } catch {
      throw SpawnError(
        program: command.arguments.first ?? "",
        problem: "no memory for its script of \(script.utf8.count) bytes (\(error)); put it into a file of the job",
        errno: error)
    }
  }

  var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

  /// argv that runs the file as `shell` would have run the script: the option that takes a script is taken away.
  func arguments(for shell: [String]) -> [String] {
    guard let option = shell.last, shell.count > 1 else { return shell + [path] }
    let kept = shell.dropLast()
    if ["-c", "-e", "--eval", "--command"].contains(option) { return kept + [path] }
    guard option.hasPrefix("-"), !option.hasPrefix("--"), option.hasSuffix("c") else { return shell + [path] }
    return kept + [String(option.dropLast()), path]
  }
}
