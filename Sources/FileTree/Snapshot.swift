import Glibc

/// The state of a staged tree when its copy ended, in as little memory as detects changes: about 40 bytes and the name
/// for each entry.
///
/// It holds the files' metadata, not their content; `FileTree.changes` reads the original for that.
public struct Snapshot: Sendable {
  /// Entries of the source that were not copied, by path.
  public let skipped: [SkippedEntry]

  /// The number of files and symlinks that were copied.
  public let files: Int

  /// The total size of the files, holes included.
  public let bytes: Int64

  /// The modes and times that the copy does not have; `nil` if it has all.
  public let unkeptAttributes: UnkeptAttributes?

  /// Each piece holds some entries of one folder. A folder has as many pieces as its listing was read in.
  private let pieces: [SnapshotPiece]

  /// The index of each folder's first piece, by the folder's number; one more at the end.
  private let firstPiece: [Int32]

  /// The permission bits of each folder that was copied, by its number; 0 for others.
  private let folderModes: [UInt16]

  /// Whether the folders of the copy have those modes: a file system may refuse them.
  private let areModesKnown: Bool

  /// The latest ctime of any entry.
  let latestChange: Int64

  /// From this ctime on, an unchanged ctime proves nothing: a later edit within the same tick of the kernel's clock could
  /// leave a file with that very time. ``settle(in:)`` waits for the next tick.
  private(set) var uncertainFrom: Int64

  static let root: Int32 = 0

  /// The snapshot of an empty tree.
  public static let empty = Snapshot(pieces: [], folders: 1, modes: [], skipped: [], files: 0, bytes: 0)

  init(
    pieces numbered: [(folder: Int32, piece: SnapshotPiece)], folders: Int, modes: [(folder: Int32, mode: mode_t)],
    skipped: [SkippedEntry], files: Int, bytes: Int64, unkeptAttributes: UnkeptAttributes? = nil
  ) {
    self.skipped = skipped.sorted { $0.path < $1.path }
    self.files = files
    self.bytes = bytes
    self.unkeptAttributes = unkeptAttributes
    var counts = [Int32](repeating: 0, count: folders + 1)
    for entry in numbered { counts[Int(entry.folder) + 1] += 1 }
    for folder in 0..<folders { counts[folder + 1] += counts[folder] }
    firstPiece = counts
    var folderModes = [UInt16](repeating: 0, count: folders)
    for entry in modes { folderModes[Int(entry.folder)] = UInt16(truncatingIfNeeded: entry.mode) }
    areModesKnown = unkeptAttributes == nil
    self.folderModes = folderModes
    pieces = numbered.sorted { $0.folder < $1.folder }.map(\.piece)
    latestChange = pieces.lazy.map(\.latestChange).max() ?? 0
    uncertainFrom = latestChange
  }

  /// Waits until the clock of the file system of `tree` has gone on, if large files would otherwise have to be compared
  /// byte by byte. Gives up after some milliseconds: some file systems count in seconds.
  mutating func settle(in tree: Int32) {
    let isWorthIt = pieces.contains {
      $0.entries.contains { $0.changed == latestChange && $0.kind == .file && $0.size >= ContentCopy.largeFile }
    }
    guard isWorthIt, let mode = try? status(of: tree).st_mode else { return }
    for _ in 0..<25 {
      // This changes the folder's ctime, and nothing else.
      guard fchmod(tree, mode & 0o7777) == 0, let now = try? status(of: tree).changed else { return }
      guard now <= latestChange else { return uncertainFrom = .max }
      usleep(1000)
    }
  }

  /// Whether a folder of the copy has another mode than it had when it was copied.
  func hasMode(_ mode: mode_t, otherThanOfFolder number: Int32) -> Bool {
    areModesKnown && mode_t(folderModes[Int(number)]) != mode
  }

  func pieces(of folder: Int32) -> ArraySlice<SnapshotPiece> {
    pieces[Int(firstPiece[Int(folder)])..<Int(firstPiece[Int(folder) + 1])]
  }
}

/// Some entries of one folder.
struct SnapshotPiece: Sendable {
  let entries: [SnapshotEntry]
  /// Their names, concatenated, each terminated by NUL.
  let names: [UInt8]

  var latestChange: Int64 { entries.lazy.map(\.changed).max() ?? 0 }
}

/// The metadata that detect a change of an entry.
struct SnapshotEntry: Sendable {
  /// The inode of a file or symlink, or the snapshot's number of a folder.
  let identity: UInt64
  let size: Int64
  let modified: Int64
  let changed: Int64
  /// The offset of its name in the piece's names.
  private(set) var name: UInt32 = 0
  /// Kind and permissions: the low 16 bits, all that Linux uses.
  private let shortMode: UInt16

  var mode: mode_t { mode_t(shortMode) }
  var kind: FileKind { FileKind(mode: mode) }

  /// Creates the entry of a file or symlink.
  init(_ status: stat) {
    identity = UInt64(status.st_ino)
    size = Int64(status.st_size)
    modified = status.modified
    changed = status.changed
    shortMode = UInt16(truncatingIfNeeded: status.st_mode)
  }

  /// Creates the entry of a folder, in which only its own entries can change.
  init(folder: Int32) {
    identity = UInt64(folder)
    size = 0
    modified = 0
    changed = 0
    shortMode = UInt16(S_IFDIR)
  }

  /// The same entry with the offset of its name in the piece's names.
  func named(at offset: Int) -> SnapshotEntry {
    var entry = self
    entry.name = UInt32(offset)
    return entry
  }

  /// Whether the metadata show no change.
  func isUntouched(_ status: stat) -> Bool {
    changed == status.changed && modified == status.modified && identity == UInt64(status.st_ino)
      && size == Int64(status.st_size) && shortMode == UInt16(truncatingIfNeeded: status.st_mode)
  }
}

/// The entries of one folder of a snapshot by name, and marks for those that were found again.
// Sendable: immutable except for the marks. Each mark is a separate byte, set by the one thread that found the name,
// which a listing contains once. Marks are read when all pieces of the listing are done.
final class FolderIndex: @unchecked Sendable {
  private let pieces: ArraySlice<SnapshotPiece>
  /// The number of the first entry of each piece.
  private let bases: [Int]
  private let count: Int
  /// Open addressing at a load of at most one half; a slot holds the number of an entry, plus 1.
  private let slots: UnsafeMutablePointer<UInt32>
  private let mask: Int
  private let marks: UnsafeMutablePointer<UInt8>

  init(_ snapshot: Snapshot, folder: Int32) {
    pieces = snapshot.pieces(of: folder)
    var bases: [Int] = []
    var count = 0
    for piece in pieces {
      bases.append(count)
      count += piece.entries.count
    }
    self.bases = bases
    self.count = count
    var capacity = 2
    while capacity < count * 2 { capacity *= 2 }
    mask = capacity - 1
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: 0, count: capacity)
    marks = .allocate(capacity: max(count, 1))
    marks.initialize(repeating: 0, count: max(count, 1))
    var number = 0
    for piece in pieces {
      piece.names.withUnsafeBytes { names in
        for entry in piece.entries {
          let name = (names.baseAddress! + Int(entry.name)).assumingMemoryBound(to: CChar.self)
          var slot = hash(name) & mask
          while slots[slot] != 0 { slot = (slot + 1) & mask }
          number += 1
          slots[slot] = UInt32(number)
        }
      }
    }
  }

  deinit {
    slots.deallocate()
    marks.deallocate()
  }

  /// The entry of this name, and its number for `markSeen`.
  func find(_ name: FileName) -> (entry: SnapshotEntry, number: Int)? {
    var slot = hash(name) & mask
    while slots[slot] != 0 {
      let number = Int(slots[slot]) - 1
      let (entry, isSame) = withEntry(number) { (entry, candidate) in (entry, strcmp(candidate, name) == 0) }
      if isSame { return (entry, number) }
      slot = (slot + 1) & mask
    }
    return nil
  }

  func markSeen(_ number: Int) { marks[number] = 1 }

  /// Calls `body` with every entry that was not marked as seen.
  func forEachUnseen(_ body: (SnapshotEntry, FileName) -> Void) {
    for number in 0..<count where marks[number] == 0 {
      withEntry(number, body)
    }
  }

  private func withEntry<Result>(_ number: Int, _ body: (SnapshotEntry, FileName) -> Result) -> Result {
    var low = 0
    var high = bases.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if bases[middle] <= number { low = middle } else { high = middle }
    }
    let piece = pieces[pieces.startIndex + low]
    let entry = piece.entries[number - bases[low]]
    return piece.names.withUnsafeBytes {
      body(entry, ($0.baseAddress! + Int(entry.name)).assumingMemoryBound(to: CChar.self))
    }
  }

  // Hasher is seeded for each process, so an attacker cannot choose colliding names.
  private func hash(_ name: FileName) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(start: name, count: strlen(name)))
    return hasher.finalize()
  }
}
