private import Glibc
import SystemPackage

extension DurableFile {
  /// As ``create(_:_:written:)``, and nobody ever finds half of it: `false` if there is one already.
  ///
  /// The file is written under a hidden name and linked to its own (link(2) fails with EEXIST if there is one). A link that a
  /// server carried out may be answered EEXIST when it was sent again (nfs(5)): then the name is this very file's.
  static func createWhole(_ path: VolumePath, _ bytes: [UInt8]) throws(VolumeError) -> Bool {
    let draft = path.folder.appending(".\(path.name).\(String(UInt64.random(in: 0 ... .max), radix: 36))")
    guard let file = try create(draft, bytes) else { return false }
    defer {
      _ = try? remove(draft)
      try? file.close()
    }
    do throws(Errno) {
      try path.inFolder(.sync) { (folder, name) throws(Errno) in
        guard linkat(folder.rawValue, draft.name, folder.rawValue, name, 0) == 0 else {
          throw Errno(rawValue: Glibc.errno)
        }
        try sync(folder)
      }
      return true
    } catch {
      if error == .fileExists { return isNamed(file, path) }
      // A file system without hard links.
      guard let created = try create(path, bytes) else { return isNamed(file, path) }
      try? created.close()
      return true
    }
  }
}
