import CLinux
import FileTree
import Glibc
import Jobs
import Logging
import Steps
import SystemPackage
import Volume

/// An entry no longer holds what was saved.
private struct DamagedEntry: Error, CustomStringConvertible {
  var description: String { "it does not hold what was saved; the job makes it anew" }
}

/// The caches of one job: restored when its files are staged, saved when it has succeeded.
///
/// A cache that cannot be read or saved is a warning, never a failure: the job then makes the files itself.
struct JobCaches {
  private let directory: CacheDirectory
  private let filter: String?
  private let signedBy: String?
  private let workspace: Workspace
  private let stop: StopRequest
  private let logger: Logger
  /// The caches whose entry is missing, with the entry's name.
  private var missing: [(rule: CacheRule, name: String)] = []

  init(
    _ directory: CacheDirectory, filter: String?, signedBy: String?, _ workspace: Workspace, _ stop: StopRequest,
    _ logger: Logger
  ) {
    self.directory = directory
    self.filter = filter
    self.signedBy = signedBy
    self.workspace = workspace
    self.stop = stop
    self.logger = logger
  }

  // MARK: Restoring

  /// Copies what is kept for `rule` into the workspace: the entry of its key, the content of its files and its paths,
  /// else the newest entry of its key.
  mutating func restore(_ rule: CacheRule) -> CacheResult {
    var result = CacheResult(key: rule.key, hit: .miss, bytes: 0, restoreMs: 0)
    let begin = ContinuousClock.now
    do {
      let name = try name(of: rule)
      let (path, scope) = try directory.scope(filter, signedBy: signedBy)
      defer { try? scope.close() }
      let exact = try CacheEntry.open(name, in: scope, .shared).flatMap { $0.record == nil ? nil : $0 }
      if exact == nil { missing.append((rule, name)) }
      guard let entry = try exact ?? newest(of: rule, in: scope, path) else { return result }
      let paths = rule.paths.filter(isFree)
      guard !paths.isEmpty else { return result }
      do {
        let copied = try copy(paths, from: entry)
        if let record = entry.record, record.paths.count == paths.count {
          guard record.bytes == copied.bytes, record.files == copied.files else { throw DamagedEntry() }
        }
        result.bytes = Int(copied.bytes)
      } catch {
        for path in paths { try? remove(path) }
        let isFull = [.noSpace, .diskQuotaExceeded].contains((error as? FileTreeError)?.errno)
        if exact != nil, stop.level == .none, !isFull {
          // Nobody could use it; it is made anew. A job that reads it now keeps it for itself.
          try? directory.discard(entry, in: scope)
          missing.append((rule, name))
        }
        throw error
      }
      entry.noteUse()
      result.hit = exact == nil ? .partial : .exact
    } catch {
      warn("cannot be restored", rule, error)
    }
    result.restoreMs = (ContinuousClock.now - begin).milliseconds
    return result
  }

  /// The name of the entry: of the key, and of the content of the files and the paths.
  private func name(of rule: CacheRule) throws -> String {
    var content = ""
    if !rule.files.isEmpty {
      let selection = Selection(include: Patterns(paths: rule.files.map { RelativePath($0) }))
      content = try FileTree.digest(of: workspace.descriptor, selecting: selection) { [stop] in stop.level > .none }
    }
    let digest = CacheDirectory.name(of: ([content] + rule.paths.sorted()).joined(separator: "\0"))
    return "\(CacheDirectory.name(of: rule.key))-\(digest)"
  }

  private func newest(of rule: CacheRule, in scope: FileDescriptor, _ path: FilePath) throws -> CacheEntry? {
    let prefix = CacheDirectory.name(of: rule.key) + "-"
    var newest: (entry: CacheEntry, saved: String)?
    for name in try DurableFile.names(in: VolumePath(path)) where name.hasPrefix(prefix) {
      guard let entry = try CacheEntry.open(name, in: scope, .shared), let record = entry.record else { continue }
      if newest.map({ $0.saved < record.saved }) ?? true { newest = (entry, record.saved) }
    }
    return newest?.entry
  }

  /// Whether staging brought nothing to this path. What it brought is newer than what is kept.
  private func isFree(_ path: String) -> Bool {
    try? inFolder(of: path) { folder, name in _ = unlinkat(folder.rawValue, name, AT_REMOVEDIR) }
    do throws(Errno) {
      let found = try openBeneath(workspace.descriptor, path, linuxPathOnly | O_NOFOLLOW)
      try? found.close()
      logger.warning("the cached path \(path.quoted) is not restored, because the job's folder holds it")
      return false
    } catch {
      return error == .noSuchFileOrDirectory
    }
  }

  private func copy(_ paths: [String], from entry: CacheEntry) throws -> Snapshot {
    let tree = try entry.tree()
    defer { try? tree.close() }
    return try FileTree.copy(
      tree, to: workspace.descriptor, selecting: selection(of: paths), isCanceled: { [stop] in stop.level > .none })
  }

  private func selection(of paths: [String]) -> Selection {
    Selection(include: Patterns(paths: paths.map { RelativePath($0) }))
  }

  private func remove(_ path: String) throws {
    try inFolder(of: path) { folder, name in try FileTree.remove(name, in: folder) }
  }

  private func inFolder(of path: String, _ body: (FileDescriptor, String) throws -> Void) throws {
    let components = path.split(separator: "/")
    guard let name = components.last else { return }
    let above = components.dropLast().joined(separator: "/")
    let folder = try openBeneath(workspace.descriptor, above.isEmpty ? "." : above, O_RDONLY | O_DIRECTORY)
    defer { try? folder.close() }
    try body(folder, String(name))
  }

  // MARK: Saving

  /// Saves the missing entries; calls `saved` with the key of each that this job has saved.
  func save(_ saved: (String) -> Void) {
    guard !missing.isEmpty else { return }
    for (rule, name) in missing where stop.level == .none {
      do {
        if try save(rule, as: name) { saved(rule.key) }
      } catch let error as FileTreeError where error.isCancellation {
        return
      } catch {
        warn("cannot be saved", rule, error)
      }
    }
    do {
      try directory.makeRoom()
    } catch {
      logger.warning("old entries of the cache \(directory.path) cannot be removed: \(error)")
    }
  }

  /// Returns whether this job has made the entry, and not another one meanwhile.
  private func save(_ rule: CacheRule, as name: String) throws -> Bool {
    let files = try FileTree.files(in: workspace.descriptor, selecting: selection(of: rule.paths))
    let size = CacheRecord.cost(of: files.reduce(into: TreeSize()) { $0 += TreeSize(files: 1, bytes: $1.size) })
    guard !files.isEmpty else {
      logger.warning(
        "the cache \(rule.key.quoted) is not saved: the job made nothing at \(rule.paths.joined(separator: ", "))")
      return false
    }
    guard size <= directory.limit else {
      logger.warning(
        "the cache \(rule.key.quoted) is not saved: it takes \(size) bytes, and --cache-size allows \(directory.limit)")
      return false
    }
    let (_, scope) = try directory.scope(filter, signedBy: signedBy)
    defer { try? scope.close() }
    let hidden = ".\(name).partial"
    guard let entry = try begin(hidden, in: scope) else { return false }
    do {
      try fill(entry, with: rule)
      TestStopPoint.cacheFilled.reached()
      guard try directory.reveal(entry, as: name, in: scope) else {
        try? FileTree.remove(hidden, in: scope)
        return false
      }
      entry.share()
      return true
    } catch {
      try? FileTree.remove(hidden, in: scope)
      throw error
    }
  }

  /// Makes the hidden folder of an entry and locks it; `nil` while another job makes the same entry.
  private func begin(_ hidden: String, in scope: FileDescriptor) throws -> CacheEntry? {
    if let abandoned = try CacheEntry.open(hidden, in: scope, .exclusive) {
      try FileTree.remove(hidden, in: scope)
      withExtendedLifetime(abandoned) {}
    }
    if mkdirat(scope.rawValue, hidden, 0o700) != 0 {
      guard errno == EEXIST else { throw Errno(rawValue: errno) }
      // Only a folder is another job's.
      guard unlinkat(scope.rawValue, hidden, 0) == 0, mkdirat(scope.rawValue, hidden, 0o700) == 0 else { return nil }
    }
    return try CacheEntry.open(hidden, in: scope, .exclusive)
  }

  private func fill(_ entry: CacheEntry, with rule: CacheRule) throws {
    guard mkdirat(entry.folder.rawValue, CacheEntry.treeName, 0o700) == 0 else { throw Errno(rawValue: errno) }
    let tree = try entry.tree()
    defer { try? tree.close() }
    let copied = try FileTree.copy(
      workspace.descriptor, to: tree, selecting: selection(of: rule.paths),
      isCanceled: { [stop] in stop.level > .none })
    try entry.write(
      CacheRecord(
        key: rule.key, filter: filter, signedBy: signedBy, paths: rule.paths, bytes: copied.bytes, files: copied.files,
        saved: Timestamp.now.description))
    // After a power failure an entry must not be there with half its content.
    try FileTree.makeDurable(entry.folder)
  }

  private func warn(_ what: String, _ rule: CacheRule, _ error: any Error) {
    logger.warning("the cache \(rule.key.quoted) in \(directory.path) \(what): \(error)")
  }
}
