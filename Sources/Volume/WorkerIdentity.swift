private import Glibc
package import Jobs
import SystemPackage

/// A worker's id, and its current process.
package struct WorkerIdentity: Sendable {
  /// The id.
  package let id: WorkerID
  /// The program's version.
  package let version: String
  /// The process.
  package let process: ProcessIdentity

  /// This process as the worker `id`.
  package init(id: WorkerID, version: String) {
    self.id = id
    self.version = version
    process = .current
  }
}

/// A process, identified for all time: the kernel reuses pids, but within one boot not a pair of pid and start time
/// (proc_pid_stat(5), field 22).
package struct ProcessIdentity: Codable, Sendable, Equatable {
  /// The host name.
  package var host: String
  /// The kernel's random id of this boot.
  package var bootId: String
  /// The process id in its PID namespace.
  package var pid: Int32
  /// The start time, in clock ticks since boot.
  package var startTime: String
  /// The PID namespace, as the link `/proc/self/ns/pid` reads.
  package var pidNamespace: String

  /// A process with these values.
  package init(host: String, bootId: String, pid: Int32, startTime: String, pidNamespace: String) {
    self.host = host
    self.bootId = bootId
    self.pid = pid
    self.startTime = startTime
    self.pidNamespace = pidNamespace
  }
}

extension ProcessIdentity {
  /// This process.
  package static let current = ProcessIdentity(
    host: hostName(), bootId: firstLine("/proc/sys/kernel/random/boot_id") ?? "", pid: getpid(),
    startTime: startTime(of: "self") ?? "",
    pidNamespace: link("/proc/self/ns/pid") ?? "")

  /// The process of this PID namespace that has `pid` now; `nil` if none has.
  static func running(_ pid: Int32) -> ProcessIdentity? {
    guard let start = startTime(of: "\(pid)") else { return nil }
    var process = current
    (process.pid, process.startTime) = (pid, start)
    return process
  }

  /// Whether the process is one of those that this process sees in /proc, or was.
  var isVisible: Bool {
    let here = ProcessIdentity.current
    return host == here.host && bootId == here.bootId && !bootId.isEmpty && pidNamespace == here.pidNamespace
  }

  /// Whether the process has certainly ended.
  ///
  /// For another host or boot nothing is known. Another PID namespace on the same host name is a restarted container,
  /// whose processes ended with it. This is only certain for a worker's own id, which no other container uses.
  var hasEnded: Bool {
    let here = ProcessIdentity.current
    guard host == here.host, bootId == here.bootId, !bootId.isEmpty else { return false }
    guard pidNamespace == here.pidNamespace else { return true }
    return startTime != ProcessIdentity.startTime(of: "\(pid)")
  }

  private static func startTime(of process: String) -> String? {
    guard let line = firstLine("/proc/\(process)/stat"), let end = line.lastIndex(of: ")") else { return nil }
    // Count fields from behind the command name, which may hold spaces and parentheses; state is field 3.
    let fields = line[line.index(after: end)...].split(separator: " ")
    return fields.count > 19 && fields[0] != "Z" ? String(fields[19]) : nil
  }
}

/// The name of this host, as gethostname(2) has it.
package func hostName() -> String {
  var buffer = [UInt8](repeating: 0, count: 256)
  let code = buffer.withUnsafeMutableBytes { gethostname($0.baseAddress!, $0.count - 1) }
  guard code == 0 else { return "localhost" }
  return String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
}

private func firstLine(_ path: String) -> String? {
  guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
  defer { try? file.close() }
  var buffer = [UInt8](repeating: 0, count: 4096)
  guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
  return String(decoding: buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
}

private func link(_ path: String) -> String? {
  var buffer = [CChar](repeating: 0, count: 256)
  let count = readlink(path, &buffer, buffer.count - 1)
  return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
}
