import Jobs
import Synchronization

/// The rows of all jobs, and their changes since any version that a page has.
final class JobRows: Sendable {
  /// The place of a page in the changes: an epoch, which is another after each start, and a number.
  struct Version: Equatable, Sendable, CustomStringConvertible {
    let epoch: String
    let number: Int

    init(epoch: String, number: Int) {
      (self.epoch, self.number) = (epoch, number)
    }

    init?(_ text: String) {
      let parts = text.split(separator: "-")
      guard parts.count == 2, let number = Int(parts[1]) else { return nil }
      self.init(epoch: String(parts[0]), number: number)
    }

    var description: String { "\(epoch)-\(number)" }
  }

  private struct Entry {
    let row: JobRow
    let json: [UInt8]
    let number: Int
  }

  private struct State {
    var entries: [JobID: Entry] = [:]
    var removed: [(number: Int, id: JobID)] = []
    /// The latest removal that is forgotten.
    var forgotten = 0
    var number = 1
    var snapshot: (number: Int, json: [UInt8])?
  }

  private let epoch = String(UInt64.random(in: 0 ... .max), radix: 36)
  private let state = Mutex(State())
  private static let mostRemoved = 20_000

  /// The current version.
  var version: Version { Version(epoch: epoch, number: state.withLock { $0.number }) }

  /// The row of `id`.
  func row(of id: JobID) -> JobRow? { state.withLock { $0.entries[id]?.row } }

  /// Puts rows in, and removes jobs that are gone.
  func apply(_ rows: [JobRow], removed: [JobID]) {
    let encoded = rows.compactMap { row in (try? compactJSON(row)).map { (row, $0) } }
    guard !encoded.isEmpty || !removed.isEmpty else { return }
    state.withLock { state in
      state.number += 1
      for (row, json) in encoded { state.entries[row.id] = Entry(row: row, json: json, number: state.number) }
      for id in removed where state.entries.removeValue(forKey: id) != nil {
        state.removed.append((state.number, id))
      }
      let surplus = state.removed.count - JobRows.mostRemoved
      guard surplus > 0 else { return }
      state.forgotten = state.removed[surplus - 1].number
      state.removed.removeFirst(surplus)
    }
  }

  /// All rows as a JSON array, in no order, with their version.
  func snapshot() -> (version: Version, json: [UInt8]) {
    state.withLock { state in
      if let snapshot = state.snapshot, snapshot.number == state.number {
        return (Version(epoch: epoch, number: state.number), snapshot.json)
      }
      let json = JobRows.array(state.entries.values.map(\.json))
      state.snapshot = (state.number, json)
      return (Version(epoch: epoch, number: state.number), json)
    }
  }

  /// The rows that changed after `version`, and the jobs that are gone since then, as JSON arrays; `nil` if this is not
  /// known any more, and the page must get all rows again.
  func changes(since version: Version) -> (version: Version, rows: [UInt8], removed: [JobID])? {
    state.withLock { state in
      guard version.epoch == epoch, (state.forgotten...state.number).contains(version.number) else { return nil }
      let rows = state.entries.values.filter { $0.number > version.number }
      let removed = state.removed.filter { $0.number > version.number && state.entries[$0.id] == nil }
      return (Version(epoch: epoch, number: state.number), JobRows.array(rows.map(\.json)), removed.map(\.id))
    }
  }

  private static func array(_ parts: [[UInt8]]) -> [UInt8] {
    var bytes: [UInt8] = [UInt8(ascii: "[")]
    bytes.reserveCapacity(parts.reduce(2) { $0 + $1.count + 1 })
    for (index, part) in parts.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes += part
    }
    bytes.append(UInt8(ascii: "]"))
    return bytes
  }
}
