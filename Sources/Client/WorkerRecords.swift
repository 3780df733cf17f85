private import Glibc
import Jobs
import SystemPackage
package import Volume

/// The files in `.worker` that nobody else removes: audit logs, and the probes of workers that are gone.
///
/// Members are not among them: the broker may still have requests in the session of a member, until another worker has
/// adopted it. Entries that no worker made are left alone.
package struct WorkerRecords: Sendable {
  let directory: JobsDirectory
  /// The volume's time, in nanoseconds since 1970.
  let now: Int64
  /// What has been changed since stays.
  let age: Duration

  /// An audit log of more bytes is rotated.
  package static let largestLog: Int64 = 10 << 20
  /// A worker that found the log's name before it was rotated has written its line long before this.
  private static let shortestRotation = Duration.seconds(60)

  /// A record that is due.
  package struct Due: Sendable {
    /// What becomes of it.
    package enum Change: Sendable {
      /// It gets this name. Its worker, which looks before each line, begins a new one.
      case rename(String)
      /// It is removed.
      case remove
    }

    package let path: VolumePath
    package let change: Change
    package let bytes: Int64
    /// The time since its last change.
    package let age: Duration
  }

  /// The records to rotate or to remove.
  package func due() throws(VolumeError) -> [Due] { try logs() + probes() }

  /// Rotates or removes a record; `false` if it is gone or has changed.
  package func apply(_ due: Due) throws(VolumeError) -> Bool {
    switch due.change {
    case .remove:
      guard record(due.path, .remove)?.age == due.age else { return false }
      return try DurableFile.remove(due.path)
    case .rename(let name): return try DurableFile.move(due.path, to: due.path.folder.appending(name))
    }
  }

  /// A log is rotated first, and removed by a later removal: its worker may be about to write a line.
  private func logs() throws(VolumeError) -> [Due] {
    var due: [Due] = []
    for name in try DurableFile.names(in: directory.audit).sorted() {
      let path = directory.audit.appending(name)
      if isLog(name) {
        guard let log = record(path, .rename("\(name).\(now)")), log.bytes > 0 else { continue }
        if log.bytes > WorkerRecords.largestLog || log.age > age { due.append(log) }
      } else if let dot = name.lastIndex(of: "."), isLog(String(name[..<dot])),
        let rotated = Int64(name[name.index(after: dot)...]), let log = record(path, .remove)
      {
        let rest = Duration.nanoseconds(now) - .nanoseconds(rotated)
        if log.age > age, rest > WorkerRecords.shortestRotation { due.append(log) }
      }
    }
    return due
  }

  private func isLog(_ name: String) -> Bool {
    name.hasSuffix(".jsonl") && WorkerID(String(name.dropLast(6)), host: "") != nil
  }

  private func probes() throws(VolumeError) -> [Due] {
    let members = Set(try DurableFile.names(in: directory.members))
    return try DurableFile.names(in: directory.clocks).sorted().compactMap { name in
      guard WorkerID(name, host: "") != nil, !members.contains("\(name).json"), !members.contains("\(name).left"),
        let probe = record(directory.clocks.appending(name), .remove), probe.age > age
      else { return nil }
      return probe
    }
  }

  /// `nil` for an entry that is no file.
  private func record(_ path: VolumePath, _ change: Due.Change) -> Due? {
    guard let status = try? path.status(), status.st_mode & S_IFMT == S_IFREG else { return nil }
    let age = Duration.nanoseconds(now) - .nanoseconds(status.modified)
    return Due(path: path, change: change, bytes: Int64(status.st_size), age: age)
  }
}
