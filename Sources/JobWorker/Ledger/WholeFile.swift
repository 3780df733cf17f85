private import Glibc
import SystemPackage

extension DurableFile {
  /// As ``create(_:_:written:)``, and nobody ever finds half of it: `false` if there is one already.
  ///
  /// The file is written under a hidden name and linked to its own (link(2) fails with EEXIST if there is one). A link that a
  /// server carried out may be answered EEXIST when it was sent again (nfs(5)): then the name is this very file's.
  static func createWhole(_ path: FilePath, _ bytes: [UInt8]) throws(VolumeError) -> Bool {
    let (folder, name) = split(path)
    let draft = folder.appending(".\(name).\(String(UInt64.random(in: 0 ... .max), radix: 36))")
    guard let file = try create(draft, bytes) else { return false }
    defer {
      unlink(draft.string)
      try? file.close()
    }
    if link(draft.string, path.string) != 0 {
      let cause = Errno(rawValue: Glibc.errno)
      guard cause == .fileExists else {
        // A file system without hard links.
        guard let created = try create(path, bytes) else { return false }
        try? created.close()
        return true
      }
      guard isNamed(file, path) else { return false }
    }
    try syncFolder(folder)
    return true
  }
}
