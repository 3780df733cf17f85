import CLinux
import Glibc
import Synchronization
public import SystemPackage

extension FileTree {
  /// Removes `name` in the folder `parent`, with everything below it if it is a folder. A missing name is not an error.
  ///
  /// Removes symlinks themselves and never follows them. Gives the owner of a folder the missing rights to read and
  /// write it first. Leaves mounts alone. Entries that cannot be removed stay, with the folders above them, and do not
  /// prevent the removal of the rest.
  ///
  /// Blocks the calling thread, and starts further threads.
  ///
  /// - Parameter isCanceled: Called before each entry, from any of the threads.
  /// - Throws: `FileTreeError` with the first path that could not be removed. EXDEV for a mount, EINVAL for a `name`
  ///   with a `/`, ECANCELED when it was canceled.
  public static func remove(
    _ name: String, in parent: FileDescriptor, threads: Int = FileTree.mostThreads,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(FileTreeError) {
    try TreeRemoval(threads: threads, isCanceled: isCanceled).run(RelativePath(name), in: parent.rawValue)
  }
}

/// One removal of a tree in progress.
final class TreeRemoval: Sendable {
  enum Item {
    /// A folder to empty and remove. `top` is the topmost folder that is removed, once it is open.
    case folder(parent: FolderNode, name: [CChar], top: FolderNode?)
    /// An open folder to list from its beginning.
    case listing(FolderNode, top: FolderNode)
    /// A piece of such a listing.
    case entries(FolderNode, [UInt8], top: FolderNode)
  }

  typealias Queue = WorkQueue<Item, Buffer>

  /// How many times a folder that is still not empty is listed again: a listing may miss names while others are
  /// removed.
  private static let listings = 8

  private let threads: Int
  private let isCanceled: @Sendable () -> Bool
  private let open = OpenFolders(most: .max)
  private let crowd = OpenFolders.most
  private let moves = Atomic<Int>(0)
  private let failure = FirstFailure()

  init(threads: Int = FileTree.mostThreads, isCanceled: @escaping @Sendable () -> Bool = { false }) {
    self.threads = threads
    self.isCanceled = isCanceled
  }

  func run(_ path: RelativePath, in parent: Int32) throws(FileTreeError) {
    do throws(SystemCallError) {
      if path.bytes.contains(0x2F) { throw SystemCallError(call: .unlink, code: EINVAL) }
      let name = try fileName(path.bytes[...])
      if try unlinkUnlessFolder(name, in: parent, .bystander) { return }
      let descriptors = FolderDescriptors(first: try openFolder(in: parent, "."), second: -1)
      let root = FolderNode(parent: nil, name: [0], descriptors: descriptors, open: open)
      root.addSubfolder()
      let queue = Queue(
        threads: threads, makeLane: { Buffer.forListing() },
        perform: { item, lane, queue in self.perform(item, lane, queue) })
      _ = queue.run([.folder(parent: root, name: name, top: nil)])
    } catch {
      throw FileTreeError("remove", error, at: path)
    }
    if let failure = failure.value { throw failure }
  }

  private func perform(_ item: Item, _ lane: Buffer, _ queue: Queue) {
    switch item {
    case .folder(let parent, let name, let top): enter(parent, name, top, lane, queue)
    case .listing(let folder, let top): empty(folder, top, lane, queue)
    case .entries(let folder, let records, let top):
      records.withUnsafeBytes { removeEntries(DirectoryEntries($0), of: folder, top, lane, queue) }
      ended(folder, folder.readerEnded().complete, top, queue)
    }
  }

  private func enter(
    _ parent: FolderNode, _ name: [CChar], _ top: FolderNode?, _ lane: Buffer, _ queue: Queue
  ) {
    do throws(SystemCallError) {
      let descriptor = try openForRemoval(name, in: parent.descriptors.first, rights(of: parent))
      let folder = FolderNode(
        parent: parent, name: name, descriptors: FolderDescriptors(first: descriptor, second: -1), open: open)
      empty(folder, top ?? folder, lane, queue)
    } catch {
      // A folder that cannot be listed may still be empty.
      do throws(SystemCallError) {
        try removeFolder(name, in: parent.descriptors.first, rights(of: parent))
      } catch _ {
        fail(error, parent.path(of: name), in: parent)
      }
      if let top { ended(parent, parent.subfolderEnded(), top, queue) }
    }
  }

  private func empty(_ folder: FolderNode, _ top: FolderNode, _ lane: Buffer, _ queue: Queue) {
    do throws(SystemCallError) {
      try DirectoryEntries.pieces(of: folder.descriptors.first, into: lane, while: { !queue.isStopped }) {
        removeEntries($0, of: folder, top, lane, queue)
      }
    } catch {
      if error.code != ENOENT { fail(error, folder.path, in: folder) }
    }
    ended(folder, folder.readerEnded().complete, top, queue)
  }

  private func removeEntries(
    _ all: DirectoryEntries, of folder: FolderNode, _ top: FolderNode, _ lane: Buffer, _ queue: Queue
  ) {
    var entries = all
    let descriptor = folder.descriptors.first
    while !queue.isStopped {
      if isCanceled() {
        fail(SystemCallError(call: .unlink, code: ECANCELED), folder.path, in: folder)
        return queue.stop()
      }
      if queue.isHungry, let half = entries.split() {
        folder.addReader()
        queue.push(.entries(folder, half, top: top))
      }
      guard let (name, kind) = entries.next() else { return }
      do throws(SystemCallError) {
        if kind == .folder {
          addSubfolder(name, of: folder, top, queue)
        } else if try !unlinkUnlessFolder(name, in: descriptor, .doomed) {
          addSubfolder(name, of: folder, top, queue)
        }
      } catch {
        fail(error, folder.path(of: name), in: folder)
      }
      queue.grow()
    }
  }

  /// A folder stays open until everything below it is removed. In a tree deeper than the limit of open files allows,
  /// the lower part is moved up to the top, so that the folders above it can be removed first.
  private func addSubfolder(_ name: FileName, of folder: FolderNode, _ top: FolderNode, _ queue: Queue) {
    if open.count.load(ordering: .relaxed) > crowd, folder !== top {
      let number = moves.add(1, ordering: .relaxed).newValue
      let moved = ".removed-\(number)-\(UInt32.random(in: .min ... .max))".utf8CString.map { $0 }
      if renameat(folder.descriptors.first, name, top.descriptors.first, moved) == 0 {
        top.addSubfolder()
        queue.push(.folder(parent: top, name: moved, top: top))
        return
      }
    }
    folder.addSubfolder()
    queue.push(.folder(parent: folder, name: terminated(name), top: top))
  }

  /// Removes a folder when it is empty, then those above it.
  private func ended(_ first: FolderNode, _ isComplete: Bool, _ top: FolderNode, _ queue: Queue) {
    var folder = first
    var isComplete = isComplete
    while isComplete, let parent = folder.parent, !queue.isStopped {
      do throws(SystemCallError) {
        if folder.isKept {
          parent.keep()
        } else {
          try removeFolder(folder.name, in: parent.descriptors.first, rights(of: parent))
        }
      } catch {
        if error.code == ENOTEMPTY || error.code == EEXIST,
          folder.listings.add(1, ordering: .relaxed).newValue < Self.listings
        {
          folder.addReader()
          lseek(folder.descriptors.first, 0, SEEK_SET)
          queue.push(.listing(folder, top: top))
          return
        }
        fail(error, folder.path, in: parent)
      }
      folder.closeForGood()
      isComplete = parent.subfolderEnded()
      folder = parent
    }
  }

  /// Only the folder that contains the removed tree stays.
  private func rights(of folder: FolderNode) -> RemovalRights { folder.parent == nil ? .bystander : .doomed }

  /// An entry that cannot be removed keeps its folder.
  private func fail(_ error: SystemCallError, _ path: RelativePath, in folder: FolderNode) {
    folder.keep()
    failure.set(FileTreeError("remove", error, at: path))
  }
}

/// Whether the mode of a folder may be changed to remove an entry in it.
enum RemovalRights {
  /// The folder is removed as well.
  case doomed
  /// The folder stays and does not belong to the tree.
  case bystander
}

/// Performs an operation on a name in a folder; if the folder's mode forbids it, gives its owner all rights and repeats
/// it.
private func withRights(
  _ rights: RemovalRights, on folder: Int32, _ body: () throws(SystemCallError) -> Int32
) throws(SystemCallError) -> Int32 {
  do throws(SystemCallError) {
    return try body()
  } catch {
    guard error.code == EACCES, rights == .doomed, fchmod(folder, 0o700) == 0 else { throw error }
    return try body()
  }
}

/// Removes an entry that is not a folder. Returns whether it is gone now; `false` for a folder.
func unlinkUnlessFolder(_ name: FileName, in folder: Int32, _ rights: RemovalRights) throws(SystemCallError) -> Bool {
  do throws(SystemCallError) {
    _ = try withRights(rights, on: folder) { () throws(SystemCallError) in
      try retrying(.unlink) { unlinkat(folder, name, 0) }
    }
    return true
  } catch {
    switch error.code {
    case ENOENT: return true
    case EISDIR: return false
    default: throw error
    }
  }
}

/// Removes an empty folder.
func removeFolder(_ name: FileName, in folder: Int32, _ rights: RemovalRights) throws(SystemCallError) {
  do throws(SystemCallError) {
    _ = try withRights(rights, on: folder) { () throws(SystemCallError) in
      try retrying(.removeFolder) { unlinkat(folder, name, AT_REMOVEDIR) }
    }
  } catch {
    if error.code != ENOENT { throw error }
  }
}

/// Opens a folder to empty, after giving its owner the right to do so.
func openForRemoval(_ name: FileName, in parent: Int32, _ rights: RemovalRights) throws(SystemCallError) -> Int32 {
  do throws(SystemCallError) {
    return try withRights(rights, on: parent) { () throws(SystemCallError) in try openFolder(in: parent, name) }
  } catch {
    guard error.code == EACCES else { throw error }
    // fchmodat(2) would follow a symlink that replaced the folder; /proc leads to the very folder that was opened.
    let place = try MountBoundary.open(.open, name, in: parent, linuxPathOnly | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC)
    defer { close(place) }
    guard chmod("/proc/self/fd/\(place)", 0o700) == 0 else { throw error }
    return try openFolder(in: parent, name)
  }
}
