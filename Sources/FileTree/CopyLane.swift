import Glibc

/// A folder that is open in both trees.
// Sendable: like its base class; its own members are immutable.
final class CopyFolder: FolderNode, @unchecked Sendable {
  let number: Int32
  let verdict: Selection.Verdict
  /// The status of the source folder; `nil` for a destination that existed, the root for one, which is left alone.
  let original: stat?

  init(
    parent: CopyFolder?, name: [CChar], number: Int32, verdict: Selection.Verdict, original: stat?,
    descriptors: FolderDescriptors, open: OpenFolders
  ) {
    self.number = number
    self.verdict = verdict
    self.original = original
    super.init(parent: parent, name: name, descriptors: descriptors, open: open)
  }
}

/// The state of one thread of a copy: its buffers and its part of the snapshot.
final class CopyLane {
  let listing = Buffer.forListing()
  /// Used for file systems that cannot copy between files themselves.
  let content = Buffer.forContent()

  private(set) var pieces: [(folder: Int32, piece: SnapshotPiece)] = []
  var modes: [(folder: Int32, mode: mode_t)] = []
  var skipped: [SkippedEntry] = []
  private(set) var files = 0
  private(set) var bytes: Int64 = 0
  /// Bytes that were copied but not yet reported as progress.
  var untold: Int64 = 0

  private var entries: [SnapshotEntry] = []
  private var names: [UInt8] = []

  func add(_ name: FileName, _ entry: SnapshotEntry) {
    append(name, entry)
    files += 1
    if entry.kind == .file { bytes &+= entry.size }
  }

  func add(folder: Int32, _ name: FileName) {
    append(name, SnapshotEntry(folder: folder))
  }

  /// Makes the entries added since the last call a piece of this folder's listing.
  func endPiece(of folder: Int32) {
    guard !entries.isEmpty else { return }
    // Copy to arrays of the exact size: the spare capacity stays here for the next piece.
    pieces.append(
      (folder, SnapshotPiece(entries: exactCopy(of: entries), names: exactCopy(of: names))))
    entries.removeAll(keepingCapacity: true)
    names.removeAll(keepingCapacity: true)
  }

  private func append(_ name: FileName, _ entry: SnapshotEntry) {
    entries.append(entry.named(at: names.count))
    names.append(contentsOf: UnsafeRawBufferPointer(start: name, count: strlen(name) + 1))
  }

  private func exactCopy<Element>(of array: [Element]) -> [Element] {
    array.withUnsafeBufferPointer { Array($0) }
  }
}
