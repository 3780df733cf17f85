import Glibc
public import SystemPackage

extension FileTree {
  /// A file or symlink of a tree.
  public struct Entry: Hashable, Sendable {
    /// Its path, relative to the root of the tree.
    public let path: RelativePath
    /// Its size in bytes; of a symlink, the length of its target.
    public let size: Int64
  }

  /// The selected files and symlinks below `root`, in byte order of their paths. Blocks the calling thread.
  ///
  /// - Throws: `FileTreeError` with the first folder or file that cannot be examined, ECANCELED when it was canceled.
  public static func files(
    in root: FileDescriptor, selecting selection: Selection = .all, excluding: Set<String> = [],
    isCanceled: () -> Bool = { false }
  ) throws(FileTreeError) -> [Entry] {
    var found: [Entry] = []
    let listing = TreeListing(root.rawValue, selection, ExcludedNames(excluding))
    try listing.run("list", isCanceled: isCanceled) { (path, kind, name, folder) throws(SystemCallError) in
      guard kind == .file || kind == .symlink else { return }
      do throws(SystemCallError) {
        found.append(Entry(path: path, size: Int64(try status(of: name, in: folder).st_size)))
      } catch {
        // It was removed a moment after it was listed.
        guard error.saysGone else { throw error }
      }
    }
    return found.sorted { $0.path < $1.path }
  }

  /// The indices of those patterns that match no file or symlink below `root`. Ends as soon as each has matched one. Passes
  /// over folders that this process may not read. Blocks the calling thread.
  ///
  /// - Throws: `FileTreeError` with the first folder that cannot be examined, ECANCELED when it was canceled.
  public static func unmatched(
    _ patterns: [Patterns], in root: FileDescriptor, isCanceled: () -> Bool = { false }
  ) throws(FileTreeError) -> [Int] {
    let selections = patterns.map { Selection(include: $0) }
    var left = Array(patterns.indices)
    let any = Selection(include: patterns.reduce(.none, +))
    let listing = TreeListing(root.rawValue, any, ExcludedNames([]), .passOver)
    do throws(FileTreeError) {
      try listing.run("list", isCanceled: { left.isEmpty || isCanceled() }) { path, kind, _, _ in
        guard kind == .file || kind == .symlink else { return }
        left.removeAll { selections[$0].selects(path) }
      }
    } catch {
      guard left.isEmpty, error.isCancellation else { throw error }
    }
    return left
  }
}

/// A walk over a tree by one thread, which does not follow symlinks and stays on the mount.
struct TreeListing {
  /// What happens at a folder that this process may not read.
  enum Unreadable {
    case fail, passOver
  }

  private let root: Int32
  private let selection: Selection
  private let excluded: ExcludedNames
  private let unreadable: Unreadable

  init(
    _ root: Int32, _ selection: Selection = .all, _ excluded: ExcludedNames, _ unreadable: Unreadable = .fail
  ) {
    self.root = root
    self.selection = selection
    self.excluded = excluded
    self.unreadable = unreadable
  }

  /// Calls `visit` with each selected entry other than folders: its path, its kind, its name, and its open folder.
  func run(
    _ operation: String, isCanceled: () -> Bool,
    _ visit: (RelativePath, FileKind, FileName, Int32) throws(SystemCallError) -> Void
  ) throws(FileTreeError) {
    let buffer = Buffer.forListing()
    let opener = FolderOpener(root: root)
    var folders: [(path: RelativePath, verdict: Selection.Verdict)] = [(RelativePath(bytes: []), selection.root)]
    while let (folder, verdict) = folders.popLast() {
      do throws(SystemCallError) {
        if isCanceled() { throw SystemCallError(call: .list, code: ECANCELED) }
        // Open a separate descriptor: a listing continues where the last listing of the same descriptor ended.
        let descriptor = try openFolder(in: try opener.folder(folder.bytes[...]), ".")
        defer { close(descriptor) }
        try DirectoryEntries.pieces(of: descriptor, into: buffer) { (listing) throws(SystemCallError) in
          while let (name, listed) = listing.next() {
            if folder.bytes.isEmpty && excluded.contains(name) { continue }
            let path = RelativePath(bytes: (folder.bytes.isEmpty ? [] : folder.bytes + [0x2F]) + bytes(of: name))
            let kind = listed == .unknown ? try status(of: name, in: descriptor).kind : listed
            let entry =
              selection.isAll ? verdict : selection.verdict(on: path, isFolder: kind == .folder, in: verdict)
            if entry == .left { continue }
            if kind == .folder { folders.append((path, entry)) } else { try visit(path, kind, name, descriptor) }
          }
        }
      } catch {
        if error.isMount || unreadable == .passOver && error.code == EACCES { continue }
        throw FileTreeError(operation, error, at: folder)
      }
    }
  }
}
