import Glibc
import Synchronization

/// The way from the root of a tree to one of its folders, and the open folder at its end.
///
/// Keeps the last folder open: files come in the order of their paths, so the next one is mostly in the same.
final class FolderOpener {
  /// What to do where a folder is missing.
  enum Missing {
    case fail
    /// Makes it, and notes that.
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

  /// The open folder at a path of `/`-joined names. Valid until the next call. The folders on the way that are made stand for
  /// those of a tree that have the same path but for its first `offset` bytes.
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
      // A mount where something is to be written is no part of a tree that can be passed over.
      if error.isMount { throw SystemCallError(call: .makeFolder, code: error.code) }
      guard error.code == ENOENT else { throw error }
      do throws(SystemCallError) {
        _ = try retrying(.makeFolder) { mkdirat(folder, name, 0o777) }
      } catch {
        // Another thread was faster.
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

/// A component of a path as the kernel takes it. EINVAL for what is no name: empty, `.`, `..`, or with a NUL.
func fileName(_ component: ArraySlice<UInt8>) throws(SystemCallError) -> [CChar] {
  let bytes = Array(component)
  if bytes.isEmpty || bytes == [0x2E] || bytes == [0x2E, 0x2E] || bytes.contains(0) {
    throw SystemCallError(call: .open, code: EINVAL)
  }
  return bytes.map { CChar(bitPattern: $0) } + [0]
}

extension RelativePath {
  /// The path of the folder that it lies in; empty at the top.
  var folder: ArraySlice<UInt8> {
    bytes.lastIndex(of: 0x2F).map { bytes[..<$0] } ?? []
  }

  /// The last component.
  var name: ArraySlice<UInt8> {
    bytes.lastIndex(of: 0x2F).map { bytes[($0 + 1)...] } ?? bytes[...]
  }
}

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
  func add(_ folder: Int32, _ path: ArraySlice<UInt8>, standingFor original: ArraySlice<UInt8>?) throws(SystemCallError) {
    let mode = try status(of: folder).st_mode & FileCopy.permissions
    fchmod(folder, 0o700)
    made.withLock { $0.append(Folder(path: Array(path), original: original.map { Array($0) }, mode: mode)) }
  }

  /// Sets modes and owners, of the deepest first: a folder may forbid its owner to reach those below. One that somebody took away
  /// meanwhile, or a file system that knows no modes, is no reason to fail.
  func finish(in results: Int32, of tree: Int32) {
    let (way, originals) = (FolderOpener(root: results), FolderOpener(root: tree))
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
