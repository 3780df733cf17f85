import FileTree
private import Glibc
import JobWorker
import SystemPackage

/// The hidden name of a folder that is being copied: it tells which process does it, so that what a killed one left can be
/// removed by the next on that host.
struct UploadName: Sendable {
  let text: String
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
    guard let stream = opendir(folder.string) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard name.hasPrefix(UploadName.own), let pid = pid(in: name), kill(pid, 0) != 0, errno == ESRCH else { continue }
      try? FileTree.remove(name, in: FileDescriptor(rawValue: dirfd(stream)))
    }
  }

  private func pid(in name: String) -> pid_t? {
    let parts = name.dropFirst(UploadName.own.count).split(separator: "-")
    return parts.count == 2 ? pid_t(parts[0]) : nil
  }
}
