import Foundation
public import Glibc

/// A process as /proc shows it (proc(5)).
public struct ProcessEntry: Sendable, CustomStringConvertible {
  /// The process id.
  public let pid: pid_t
  /// Its arguments, separated by spaces.
  public let command: String

  /// The living processes with `marker` in their environment or arguments, except this one.
  public static func marked(_ marker: String) -> [ProcessEntry] {
    let needle = Data(marker.utf8)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { name -> ProcessEntry? in
      guard let pid = pid_t(name), pid != getpid(), let arguments = contents("/proc/\(pid)/cmdline") else { return nil }
      let isMarked =
        arguments.range(of: needle) != nil || contents("/proc/\(pid)/environ")?.range(of: needle) != nil
      // A zombie has neither. The process may have died since.
      guard isMarked, let state = state(of: pid), !"ZX".contains(state) else { return nil }
      let command = String(decoding: arguments.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
      return ProcessEntry(pid: pid, command: command)
    }
  }

  /// The state's letter: `R` runs, `S` sleeps, `T` is stopped, `Z` is a zombie; `nil` when there is no such process.
  public static func state(of pid: pid_t) -> String? {
    guard let stat = contents("/proc/\(pid)/stat") else { return nil }
    // The command name may hold parentheses and spaces; the state follows the last one.
    return String(decoding: stat, as: UTF8.self).split(separator: ")").last?
      .split(separator: " ").first.map(String.init)
  }

  /// Whether any of its threads waits in the kernel and cannot be killed.
  public static func hangs(_ pid: pid_t) -> Bool {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
    return threads.contains { pid_t($0).flatMap(state(of:)) == "D" }
  }

  /// The environment it was started with.
  public static func environment(of pid: pid_t) -> [String] {
    (contents("/proc/\(pid)/environ") ?? Data()).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Its arguments.
  public static func arguments(of pid: pid_t) -> [String] {
    (contents("/proc/\(pid)/cmdline") ?? Data()).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The process id and the command.
  public var description: String { "\(pid) \(command)" }
}

/// Files in /proc have no size, so they are read until they end.
private func contents(_ path: String) -> Data? {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return nil }
  defer { close(file) }
  var data = Data()
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(file, &buffer, buffer.count)
    guard count > 0 else { return count == 0 ? data : nil }
    data.append(contentsOf: buffer[..<count])
  }
}
