import Glibc

/// What one thread of a copy has for its own: its buffers, and its part of the snapshot.
final class CopyLane {
  let listing = UnsafeMutableRawBufferPointer.allocate(byteCount: DirectoryEntries.bufferSize, alignment: 16)
  /// For file systems that cannot copy between files by themselves. Only what is used of it becomes memory.
  let content = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 4096)

  private(set) var pieces: [(folder: Int32, piece: SnapshotPiece)] = []
  var skipped: [SkippedEntry] = []
  private(set) var files = 0
  private(set) var bytes: Int64 = 0
  /// Bytes that were copied and are not in the progress yet.
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

  /// What was added since the last call are entries of this folder.
  func endPiece(of folder: Int32) {
    guard !entries.isEmpty else { return }
    // Copies of just the size, so that the room to grow in is kept for the next piece and not with this one.
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
