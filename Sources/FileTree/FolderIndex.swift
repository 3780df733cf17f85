import Glibc

/// The entries of one folder of a snapshot by name, and which of them have been seen again.
// Sendable: immutable but for the marks; each is one byte of its own, and set by the one thread that met the name,
// which a listing holds once. They are read when all pieces of the listing are done.
final class FolderIndex: @unchecked Sendable {
  private let pieces: ArraySlice<SnapshotPiece>
  /// The number of the first entry of each piece.
  private let bases: [Int]
  private let count: Int
  /// Open addressing with twice the room; the number of an entry, plus 1.
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

  /// Calls with every entry that was not seen.
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

  // Seeded for each process, so that nobody can choose names that collide.
  private func hash(_ name: FileName) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(start: name, count: strlen(name)))
    return hasher.finalize()
  }
}
