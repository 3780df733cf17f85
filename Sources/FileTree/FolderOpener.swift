import Glibc
import Synchronization

/// Opens folders by their paths from the root of a tree, and can create missing ones.
///
/// It keeps the last folder open: files come in the order of their paths, so the next file is mostly in the same
/// folder.
final class FolderOpener {
  /// The treatment of missing folders.
  enum Missing {
    case fail
    /// Creates the folder and records it.
    case make(NewFolders)
  }

  private let root: Int32
  private let missing: Missing
  private var current: (path: ArraySlice<UInt8>, descriptor: Int32)?

  init(root: Int32, missing: Missing = .fail) {
    self.root = root
    self.missing = missing
  }

  deinit {
    if let current { close(current.descriptor) }
  }

  /// Opens the folder at a path of `/`-joined names. The descriptor is valid until the next call. Created folders
  /// correspond to those of the tree with the same path without its first `offset` bytes.
  func folder(_ path: ArraySlice<UInt8>, after offset: Int = 0) throws(SystemCallError) -> Int32 {
    if path.isEmpty { return root }
    if let current, current.path == path { return current.descriptor }
    var descriptor = root
    for component in path.split(separator: 0x2F, omittingEmptySubsequences: false) {
      let above = descriptor
      defer { if above != root { close(above) } }
      descriptor = try next(component, in: above) { (folders, made) throws(SystemCallError) in
        let place = path[..<component.endIndex]
        try folders.add(made, place, standingFor: place.count > offset ? place.dropFirst(offset) : nil)
      }
    }
    if let current { close(current.descriptor) }
    current = (path, descriptor)
    return descriptor
  }

  private func next(
    _ component: ArraySlice<UInt8>, in folder: Int32,
    note: (NewFolders, Int32) throws(SystemCallError) -> Void
  ) throws(SystemCallError) -> Int32 {
    let name = try fileName(component)
    do throws(SystemCallError) {
      return try openFolder(in: folder, name)
    } catch {
      guard case .make(let folders) = missing else { throw error }
      // A mount at the destination cannot be skipped like a mount in the tree: report it as a failure.
      if error.isMount { throw SystemCallError(call: .makeFolder, code: error.code) }
      guard error.code == ENOENT else { throw error }
      do throws(SystemCallError) {
        _ = try retrying(.makeFolder) { mkdirat(folder, name, 0o777) }
      } catch {
        // Another thread has created it first.
        if error.code != EEXIST { throw error }
        return try openFolder(in: folder, name)
      }
      let made = try openFolder(in: folder, name)
      do throws(SystemCallError) {
        try note(folders, made)
      } catch {
        close(made)
        throw error
      }
      return made
    }
  }
}

/// The folders that an export has created in the results.
///
/// Only its creator may use a folder while it is filled (mode 0700); at the end the folder gets the mode of its
/// original. So private content is never exposed, and a read-only folder can be filled.
final class NewFolders: Sendable {
  private struct Folder {
    let path: [UInt8]
    /// The path of its original in the tree, if there is one.
    let original: [UInt8]?
    /// The mode with which it was created, under the umask.
    let mode: mode_t
  }

  private let owner: Owner?
  private let made = Mutex<[Folder]>([])

  init(for owner: Owner? = nil) {
    self.owner = owner
  }

  /// Records an open folder that was just created.
  func add(_ folder: Int32, _ path: ArraySlice<UInt8>, standingFor original: ArraySlice<UInt8>?) throws(SystemCallError)
  {
    let mode = try status(of: folder).st_mode & FileCopy.permissions
    fchmod(folder, 0o700)
    made.withLock { $0.append(Folder(path: Array(path), original: original.map { Array($0) }, mode: mode)) }
  }

  /// Sets modes and owners, deepest folders first: a folder's mode may block access to those below. Ignores errors: a
  /// folder may have been removed meanwhile, and some file systems have no modes.
  func finish(in results: Int32, of tree: Int32) {
    let (opener, originals) = (FolderOpener(root: results), FolderOpener(root: tree))
    for made in made.withLock({ $0 }).sorted(by: { $0.path.count > $1.path.count }) {
      guard let folder = try? opener.folder(made.path[...]) else { continue }
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
