import FileTree
import Glibc
import Jobs
package import SystemPackage
package import Volume

/// The caches of a host, in `--cache-dir`: `<scope>/<key>-<digest>/`, each with `entry.json` and `tree/`.
///
/// A scope is that of workers with one topic filter and of requests with one signing key. An entry appears by rename, so
/// it is whole or not there, and it never changes. Several workers use the folder at once; see ``CacheEntry`` for the
/// locks. Names that begin with a dot are entries in the making, or leftovers of processes that died.
package struct CacheDirectory: Sendable {
  /// The folder.
  package let path: FilePath
  /// The most bytes that all entries together may have; 0 for no caches.
  package let limit: Int64

  package init(_ path: FilePath, limit: Int64) {
    self.path = path
    self.limit = limit
  }

  /// A part of a name: 128 bits of a digest.
  static func name(of text: String) -> String { String(digestText(of: Array(text.utf8)).dropFirst(7).prefix(32)) }

  private static func isName(_ text: String) -> Bool {
    text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// The folder of the entries for this filter and this signing key, made if it is missing.
  func scope(_ filter: String?, signedBy key: String?) throws(VolumeError) -> (FilePath, FileDescriptor) {
    let scope = path.appending(CacheDirectory.name(of: "\(filter ?? "")\0\(key ?? "")"))
    try DurableFile.makeFolder(scope, mode: 0o700)
    return (scope, try CacheDirectory.open(scope))
  }

  private static func open(_ folder: FilePath) throws(VolumeError) -> FileDescriptor {
    do {
      return try FileDescriptor.open(folder, .readOnly, options: [.directory, .noFollow, .closeOnExec])
    } catch {
      throw VolumeError("opening", folder, Errno(error))
    }
  }

  // MARK: All entries

  /// An entry in a list.
  package struct Listed: Sendable {
    let scope: FilePath
    /// Its name in its scope.
    package let name: String
    package let record: CacheRecord
    /// When a job last used it, in nanoseconds since 1970.
    package let lastUse: Int64
  }

  /// All entries, the least recently used first. Throws if the folder cannot be listed; there are none if it is missing.
  package func entries() throws(VolumeError) -> [Listed] {
    var found: [Listed] = []
    try forEachName { name, folder, scope in
      guard !name.hasPrefix("."), let entry = try? CacheEntry.open(name, in: folder, .shared) else { return }
      guard let record = entry.record else { return }
      found.append(Listed(scope: scope, name: name, record: record, lastUse: entry.lastUse))
    }
    return found.sorted { ($0.lastUse, $0.name) < ($1.lastUse, $1.name) }
  }

  /// Calls `body` with each name in each scope. Passes over what is no scope, such as lost+found, and over what cannot be
  /// read.
  private func forEachName(_ body: (String, FileDescriptor, FilePath) -> Void) throws(VolumeError) {
    guard DurableFile.exists(VolumePath(path)) else { return }
    for name in try DurableFile.names(in: VolumePath(path)) where CacheDirectory.isName(name) {
      let scope = path.appending(name)
      guard let folder = try? CacheDirectory.open(scope) else { continue }
      defer { try? folder.close() }
      let place = VolumePath(scope)
      guard let names = try? DurableFile.allNames(in: place) else { continue }
      for name in names { body(name, folder, scope) }
    }
  }

  /// Removes an entry; `false` if a job uses it, or if it is gone. Throws if it cannot be removed whole; then nobody can
  /// use it any more.
  package func remove(_ entry: Listed) throws -> Bool {
    let folder = try CacheDirectory.open(entry.scope)
    defer { try? folder.close() }
    return try CacheDirectory.remove(entry.name, in: folder)
  }

  private static func remove(_ name: String, in scope: FileDescriptor) throws -> Bool {
    guard let entry = try CacheEntry.open(name, in: scope, .exclusive) else { return false }
    try takeAway(entry, in: scope)
    return true
  }

  /// Gives the hidden folder of a complete entry its name; `false` if another job has made the entry meanwhile. What is no
  /// entry in its place is moved away.
  func reveal(_ entry: CacheEntry, as name: String, in scope: FileDescriptor) throws -> Bool {
    while true {
      do throws(Errno) {
        try renameFolder(entry.name, toFree: name, in: scope)
        return true
      } catch .fileExists {
        if let other = try CacheEntry.open(name, in: scope, .exclusive) {
          if other.record != nil { return false }
          try CacheDirectory.takeAway(other, in: scope)
          continue
        }
        if let other = try? openFile(name, .directory, in: scope) {
          // Another process has it locked.
          try? other.close()
          return false
        }
        let hidden = CacheDirectory.goneName(name)
        try rename(name, to: hidden, in: scope)
        try? FileTree.remove(hidden, in: scope)
      }
    }
  }

  private static func goneName(_ name: String) -> String { ".\(name).\(UInt64.random(in: 0 ... .max)).gone" }

  /// Removes an entry that this process has open, if nobody else has.
  func discard(_ entry: CacheEntry, in scope: FileDescriptor) throws {
    guard entry.lockAlone(in: scope) else { return }
    try CacheDirectory.takeAway(entry, in: scope)
  }

  private static func takeAway(_ entry: CacheEntry, in scope: FileDescriptor) throws {
    let hidden = goneName(entry.name)
    try rename(entry.name, to: hidden, in: scope)
    defer { withExtendedLifetime(entry) {} }
    try FileTree.remove(hidden, in: scope)
  }

  /// Removes the least recently used entries until the rest keeps the limit, and what dead processes left. Throws the
  /// first failure at the end.
  func makeRoom() throws {
    try forEachName { name, folder, _ in
      guard let entry = try? CacheEntry.open(name, in: folder, .exclusive) else { return }
      guard name.hasPrefix(".") || entry.record == nil else { return }
      try? FileTree.remove(name, in: folder)
      withExtendedLifetime(entry) {}
    }
    // One that alone takes more was not saved with this limit.
    let (small, large) = try entries().reduce(into: ([Listed](), [Listed]())) { lists, entry in
      if entry.record.cost > limit { lists.1.append(entry) } else { lists.0.append(entry) }
    }
    var (rest, staying, failure) = ((large + small)[...], [Listed](), (any Error)?.none)
    while CacheDirectory.cost(of: rest + staying) > limit, let oldest = rest.popFirst() {
      do {
        if try !remove(oldest) { staying.append(oldest) }
      } catch {
        staying.append(oldest)
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  private static func cost(of entries: some Sequence<Listed>) -> Int64 {
    entries.reduce(into: TreeSize()) { $0 += TreeSize(bytes: $1.record.cost) }.bytes
  }
}
