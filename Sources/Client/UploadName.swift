import FileTree
private import Glibc
import Jobs
import SystemPackage
import Volume

/// The hidden name of an incomplete copy. It names the process, so that the next process on that host can remove the
/// copy of a killed one.
struct UploadName: Sendable {
  let text: String
  private static let prefix = ".submit-"

  /// A name that is unique to this process and this upload.
  init() {
    let random = UInt32.random(in: 0 ... .max)
    text = "\(UploadName.own)\(getpid())-\(random)"
  }

  /// The common prefix of all processes in this PID namespace: a pid has a meaning only in its namespace.
  private static let own: String = {
    let namespace = ProcessIdentity.current.pidNamespace.filter(\.isNumber)
    return "\(prefix)\(hostName().filter { $0 != "/" })-\(namespace)-"
  }()

  /// Removes copies of this host's processes that have ended.
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
