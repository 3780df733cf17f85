import FileTree
private import Glibc
import Jobs
import SystemPackage
import Volume

/// The hidden name of a folder that is being copied: it tells which process does it, so that what a killed one left can be
/// removed by the next on that host.
struct UploadName: Sendable {
  package let text: String
  private static let prefix = ".submit-"

  /// A name that no other process and no other upload of this one has.
  init() {
    let random = UInt32.random(in: 0 ... .max)
    text = "\(UploadName.own)\(getpid())-\(random)"
  }

  /// What the names of all processes that this one can see have in common: pids mean something in a PID namespace only.
  private static let own: String = {
    let namespace = ProcessIdentity.current.pidNamespace.filter(\.isNumber)
    return "\(prefix)\(hostName().filter { $0 != "/" })-\(namespace)-"
  }()

  /// Removes what processes of this host left that are gone.
  func removeAbandoned(in folder: FilePath) throws {
    guard let folder = try? FileDescriptor.open(folder, .readOnly, options: [.directory, .closeOnExec]) else { return }
    defer { try? folder.close() }
    _ = try? firstName(in: folder) { name in
      if let pid = pid(in: name), kill(pid, 0) != 0, errno == ESRCH { try? FileTree.remove(name, in: folder) }
      return false
    }
  }

  private func pid(in name: String) -> pid_t? {
    guard name.hasPrefix(UploadName.own) else { return nil }
    let parts = name.dropFirst(UploadName.own.count).split(separator: "-")
    return parts.count == 2 ? pid_t(parts[0]) : nil
  }
}
