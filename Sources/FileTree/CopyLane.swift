import Glibc

/// The state of one thread of a copy: its buffers and its part of the snapshot.
final class CopyLane {
  let listing = UnsafeMutableRawBufferPointer.allocate(byteCount: DirectoryEntries.bufferSize, alignment: 16)
  /// Used for file systems that cannot copy between files themselves. Untouched pages take no memory.
  let content = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 4096)

  private(set) var pieces: [(folder: Int32, piece: SnapshotPiece)] = []
  var skipped: [SkippedEntry] = []
  private(set) var files = 0
  private(set) var bytes: Int64 = 0
  /// Bytes that were copied but not yet reported as progress.
  var untold: Int64 = 0

  private var entries: [SnapshotEntry] = []
  private var names: [UInt8] = []

  deinit {
    listing.deallocate()
    content.deallocate()
  }

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
