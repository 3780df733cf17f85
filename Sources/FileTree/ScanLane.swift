import Glibc
import Synchronization

/// The state of one thread of a scan: its buffers and its findings.
final class ScanLane {
  let listing = UnsafeMutableRawBufferPointer.allocate(byteCount: DirectoryEntries.bufferSize, alignment: 16)
  let content = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 4096)
  let original: FolderOpener

  private(set) var changed: [ChangedEntry] = []
  private(set) var deleted: [RelativePath] = []
  var skipped: [SkippedEntry] = []
  var failures: [FileTreeError] = []

  init(original: Int32) {
    self.original = FolderOpener(root: original)
  }

  deinit {
    listing.deallocate()
    content.deallocate()
  }

  func add(_ path: RelativePath, _ kind: ChangedEntry.Kind, _ change: ChangedEntry.Change, _ status: stat) {
    changed.append(
      ChangedEntry(
        path: path, kind: kind, change: change, size: Int64(status.st_size), mode: UInt32(status.st_mode & 0o7777)))
  }

  /// Adds a removed entry of the snapshot: a file, or all files of a folder.
  func addDeleted(_ path: [UInt8], _ entry: SnapshotEntry, _ snapshot: Snapshot) {
    var open = [(path: path, entry: entry)]
    while let (path, entry) = open.popLast() {
      guard entry.kind == .folder else {
        deleted.append(RelativePath(bytes: path))
        continue
      }
      for piece in snapshot.pieces(of: Int32(entry.identity)) {
        for child in piece.entries {
          let name = piece.names[Int(child.name)...].prefix { $0 != 0 }
          open.append((path + [0x2F] + name, child))
        }
      }
    }
  }
}

/// A folder of the tree that is scanned for changes.
// Sendable: like its base class; its own members are immutable or atomic.
final class ScanFolder: FolderNode, @unchecked Sendable {
  /// The folder's entries in the snapshot; `nil` for a new folder.
  let index: FolderIndex?
  private let incomplete = Atomic<Bool>(false)

  init(parent: ScanFolder?, name: [CChar], index: FolderIndex?, descriptors: FolderDescriptors, open: OpenFolders) {
    self.index = index
    super.init(parent: parent, name: name, descriptors: descriptors, open: open)
  }

  /// Whether its listing could not be read to the end: entries not seen may still exist.
  var isIncomplete: Bool { incomplete.load(ordering: .relaxed) }

  func markIncomplete() { incomplete.store(true, ordering: .relaxed) }
}
