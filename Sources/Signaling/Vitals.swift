private import Glibc
import Jobs
import SystemPackage

/// How a host and its volumes are, for a worker's status.
///
/// To measure asks the volume's server, and may wait for it: never do it where something waits.
struct Vitals: Sendable {
  private var load: Double?
  private var memory: Int64?
  private var memoryFree: Int64?
  private var jobsFree: Int64?
  private var workspacesFree: Int64?

  /// Measures now. What cannot be read is left out.
  package static func measured(jobs: FilePath, workspaces: FilePath) -> Vitals {
    var vitals = Vitals()
    // The mean over one minute comes first (proc_loadavg(5)).
    vitals.load = words("/proc/loadavg").first.flatMap { Double($0) }
    // Resident pages come second (proc_pid_statm(5)).
    let pages = words("/proc/self/statm").dropFirst().first.flatMap { Int64($0) }
    vitals.memory = pages.map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) }
    let memory = words("/proc/meminfo")
    if let name = memory.firstIndex(of: "MemAvailable:"), name + 1 < memory.count {
      vitals.memoryFree = Int64(memory[name + 1]).map { $0 << 10 }
    }
    vitals.jobsFree = freeBytes(jobs)
    vitals.workspacesFree = freeBytes(workspaces)
    return vitals
  }

  /// Writes the figures into `status`.
  package func write(to status: inout WorkerStatus) {
    status.load = load
    status.memory = memory
    status.memoryFree = memoryFree
    status.jobsFree = jobsFree
    status.workspacesFree = workspacesFree
  }
}

private func freeBytes(_ folder: FilePath) -> Int64? {
  var status = statvfs()
  guard statvfs(folder.string, &status) == 0 else { return nil }
  let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
  return overflow ? nil : Int64(clamping: bytes)
}

/// The words at the start of a file of proc(5).
private func words(_ path: FilePath) -> [String] {
  guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return [] }
  defer { try? file.close() }
  var buffer = [UInt8](repeating: 0, count: 1024)
  guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return [] }
  // Of bytes: to know a white character by its Unicode properties takes longer than all else here.
  return buffer[..<count].split { $0 <= UInt8(ascii: " ") }.map { String(decoding: $0, as: UTF8.self) }
}
