import Glibc
import Synchronization

/// The folders that an export has made in the results.
///
/// Each is its maker's alone while it is filled, and gets the mode of the folder that it stands for at the end: so what was
/// private is never open to others, and what forbids writing can be filled.
final class NewFolders: Sendable {
  private struct Folder {
    let path: [UInt8]
    /// The path of the one in the tree that it stands for, if there is one.
    let original: [UInt8]?
    /// What the umask left.
    let mode: mode_t
  }

  private let owner: Owner?
  private let made = Mutex<[Folder]>([])

  init(for owner: Owner? = nil) {
    self.owner = owner
  }

  /// Takes note of an open folder that was just made.
  func add(_ folder: Int32, _ path: ArraySlice<UInt8>, standingFor original: ArraySlice<UInt8>?) throws(CallFailure) {
    let mode = try status(of: folder).st_mode & FileCopy.permissions
    fchmod(folder, 0o700)
    made.withLock { $0.append(Folder(path: Array(path), original: original.map { Array($0) }, mode: mode)) }
  }

  /// Sets modes and owners, of the deepest first: a folder may forbid its owner to reach those below. One that somebody took away
  /// meanwhile, or a file system that knows no modes, is no reason to fail.
  func finish(in results: Int32, of tree: Int32) {
    let (way, originals) = (FolderWay(root: results), FolderWay(root: tree))
    for made in made.withLock({ $0 }).sorted(by: { $0.path.count > $1.path.count }) {
      guard let folder = try? way.folder(made.path[...]) else { continue }
      var mode = made.mode
      if let original = made.original, let folder = try? originals.folder(original[...]),
        let status = try? status(of: folder)
      {
        mode = status.st_mode & FileCopy.permissions
      }
      fchmod(folder, mode)
      owner?.own(folder)
    }
  }
}
