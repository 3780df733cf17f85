import CLinux
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
    for scope in try scopes() {
      let folder = try CacheDirectory.open(scope)
      defer { try? folder.close() }
      for name in try DurableFile.names(in: VolumePath(scope)) where !name.hasPrefix(".") {
        guard let entry = try? CacheEntry.open(name, in: folder, .shared), let record = entry.record else { continue }
        found.append(Listed(scope: scope, name: name, record: record, lastUse: entry.lastUse))
      }
    }
    return found.sorted { ($0.lastUse, $0.name) < ($1.lastUse, $1.name) }
  }

  private func scopes() throws(VolumeError) -> [FilePath] {
    guard DurableFile.exists(VolumePath(path)) else { return [] }
    return try DurableFile.names(in: VolumePath(path)).filter { !$0.hasPrefix(".") }.map { path.appending($0) }
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
    let hidden = ".\(name).\(UInt64.random(in: 0 ... .max)).gone"
    try rename(name, to: hidden, in: scope)
    defer { withExtendedLifetime(entry) {} }
    try FileTree.remove(hidden, in: scope)
    return true
  }

  /// Removes the least recently used entries until the rest keeps the limit, and what dead processes left.
  func makeRoom() throws {
    for scope in try scopes() {
      let folder = try CacheDirectory.open(scope)
      defer { try? folder.close() }
      for name in try DurableFile.names(in: VolumePath(scope)) where name.hasPrefix(".") {
        guard let entry = try? CacheEntry.open(name, in: folder, .exclusive) else { continue }
        try? FileTree.remove(name, in: folder)
        withExtendedLifetime(entry) {}
      }
    }
    let entries = try entries()
    var total = entries.reduce(0) { $0 + $1.record.bytes }
    for entry in entries where total > limit {
      if try remove(entry) { total -= entry.record.bytes }
    }
  }
}
