import Glibc
import Synchronization

/// The state of one thread of a scan: its buffers and its findings.
final class ScanLane {
  let listing = Buffer.forListing()
  let content = Buffer.forContent()
  let original: FolderOpener

  private(set) var changed: [ChangedEntry] = []
  var folders: [RelativePath] = []
  private(set) var deleted: [RelativePath] = []
  var skipped: [SkippedEntry] = []
  var failures: [FileTreeError] = []

  init(original: Int32) {
    self.original = FolderOpener(root: original)
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
  let verdict: Selection.Verdict
  private let incomplete = Atomic<Bool>(false)

  init(
    parent: ScanFolder?, name: [CChar], index: FolderIndex?, verdict: Selection.Verdict,
    descriptors: FolderDescriptors, open: OpenFolders
  ) {
    self.index = index
    self.verdict = verdict
    super.init(parent: parent, name: name, descriptors: descriptors, open: open)
  }

  /// Whether its listing could not be read to the end: entries not seen may still exist.
  var isIncomplete: Bool { incomplete.load(ordering: .relaxed) }

  func markIncomplete() { incomplete.store(true, ordering: .relaxed) }
}

/// Compares the content of a file or symlink in two folders.
struct ContentComparison {
  let name: FileName
  let folder: Int32
  let otherFolder: Int32
  /// The first half holds data of one file, the second half data of the other.
  let buffer: UnsafeMutableRawBufferPointer
  let isCanceled: @Sendable () -> Bool

  /// The result of a comparison.
  enum Result {
    case same
    /// `isOriginal` tells whether the other file still has the mtime with which it was copied.
    case different(isOriginal: Bool)
    /// At least one of the two could not be read.
    case unknown
  }

  func compareSymlinks(since modified: Int64) throws(SystemCallError) -> Result {
    if try symlinkTarget(name, in: folder) == symlinkTarget(name, in: otherFolder) { return .same }
    return .different(isOriginal: try status(of: name, in: otherFolder).modified == modified)
  }

  func compareFiles(since modified: Int64) throws(SystemCallError) -> Result {
    let one = try openFile(in: folder, name)
    defer { close(one) }
    let other = try openFile(in: otherFolder, name)
    defer { close(other) }
    let (oneStatus, otherStatus) = (try status(of: one), try status(of: other))
    guard oneStatus.kind == .file, otherStatus.kind == .file else { return .different(isOriginal: false) }
    let half = buffer.count / 2
    let first = UnsafeMutableRawBufferPointer(rebasing: buffer[..<half])
    let second = UnsafeMutableRawBufferPointer(rebasing: buffer[half...])
    let holes = (HoleMap(one, oneStatus), HoleMap(other, otherStatus))
    var offset: Int64 = 0
    while true {
      if isCanceled() { throw SystemCallError(call: .read, code: ECANCELED) }
      // Skip ranges that are holes in both files.
      offset = min(try holes.0.nextData(from: offset), try holes.1.nextData(from: offset))
      let count = try readFull(one, into: first, at: offset)
      guard try readFull(other, into: second, at: offset) == count,
        memcmp(first.baseAddress!, second.baseAddress!, count) == 0
      else { return .different(isOriginal: otherStatus.modified == modified) }
      if count < half { return .same }
      offset &+= Int64(count)
    }
  }
}
