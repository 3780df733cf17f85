import Crypto
import Glibc
import Synchronization
public import SystemPackage

extension FileTree {
  /// Copies the changed entries of `tree` into `results`, each file complete or not at all.
  ///
  /// A file is written under a temporary name (`.<random>.partial`, in its destination folder), then renamed over an
  /// existing one. Modes (less setuid and setgid) and mtimes are kept where the file system can, and holes. Changed
  /// folders and those that changed entries need are created with the modes of those in the tree, even if they are empty.
  /// `storedAs` returns the path in `results` where it differs from the path in the tree. Symlinks that are absolute or
  /// lead out of the tree by `..` are skipped, and so are mounts. No symlink in `results` is followed. On return
  /// everything is durable: by fsync(2) for a few files, by one syncfs(2) for many, where the file system implements it
  /// fully.
  ///
  /// Blocks the calling thread, and starts further threads. `progress` is called from any of them, one at a time, a few
  /// times a second.
  ///
  /// - Parameters:
  ///   - owner: The owner of created files and folders; `nil`: the user that runs this process.
  ///   - isCanceled: Called before each entry and after each piece of a file, from any of the threads. Files that are
  ///     complete by then stay.
  /// - Returns: The complete files, the skipped entries, those missing because of cancellation, and the failures: one
  ///   file that cannot be exported does not stop the others.
  /// - Throws: `FileTreeError` when the written files cannot be made durable; their state is then unknown.
  public static func export(
    _ changes: Changes, from tree: FileDescriptor, to results: FileDescriptor,
    storedAs: (RelativePath) -> RelativePath? = { _ in nil }, owner: Owner? = nil,
    threads: Int = FileTree.mostThreads, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(FileTreeError) -> Export {
    let export = TreeExport(
      changes.changed.map { ($0, storedAs($0.path)) }, folders: changes.folders.map { ($0, storedAs($0) ?? $0) },
      from: tree.rawValue, to: results.rawValue, owner: owner, threads: threads, progress: progress,
      isCanceled: isCanceled)
    return try export.run()
  }
}

/// One export in progress.
final class TreeExport: Sendable {
  typealias Queue = WorkQueue<Range<Int>, ExportLane>

  /// Up to this many files, fsync for each costs less than flushing everything else that the file system has to write.
  private static let few = 16

  /// The number of files that a thread takes at once. Neighbours mostly share a folder, which is then opened once; but
  /// a thread that waits for fsync should not hold more work while others idle.
  private var batch: Int { durability == .eachFile ? 1 : 16 }

  private let entries: [(entry: ChangedEntry, storedAs: RelativePath?)]
  private let changedFolders: [(path: RelativePath, place: RelativePath)]
  private let tree: Int32
  private let results: Int32
  private let owner: Owner?
  private let folders: NewFolders
  private let durability: FileExport.Durability
  private let attributes = Attributes()
  private let threads: Int
  private let meter: ProgressMeter
  private let isCanceled: @Sendable () -> Bool

  init(
    _ entries: [(ChangedEntry, RelativePath?)], folders changedFolders: [(RelativePath, RelativePath)] = [],
    from tree: Int32, to results: Int32, owner: Owner?,
    threads: Int = FileTree.mostThreads, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.isCanceled = isCanceled
    meter = ProgressMeter(progress)
    self.entries = entries
    self.changedFolders = changedFolders
    self.tree = tree
    self.results = results
    self.owner = owner
    folders = NewFolders(for: owner)
    self.threads = threads
    durability = entries.count + changedFolders.count <= Self.few || !hasTrueSyncfs(results) ? .eachFile : .together
  }

  func run() throws(FileTreeError) -> Export {
    if entries.isEmpty, changedFolders.isEmpty {
      return Export(files: [], skipped: [], unfinished: [], failures: [], unkeptAttributes: nil)
    }
    let queue = Queue(
      threads: threads, makeLane: { ExportLane(tree: self.tree, results: self.results, self.folders) },
      perform: { range, lane, queue in
        for number in range {
          self.export(self.entries[number].entry, self.entries[number].storedAs, lane)
          queue.grow()
        }
      })
    let starts = stride(from: 0, to: entries.count, by: batch)
    let lanes = queue.run(starts.reversed().map { $0..<min($0 + batch, entries.count) })
    let failures = lanes.flatMap(\.failures)
    let (made, failed) = makeFolders(besides: failures)
    folders.finish(in: results, of: tree)
    let files = lanes.flatMap(\.files).sorted { $0.path < $1.path }
    try makeDurable(files.map { $0.storedAs ?? $0.path }, made)
    return Export(
      files: files, skipped: lanes.flatMap(\.skipped).sorted { $0.path < $1.path },
      unfinished: lanes.flatMap(\.unfinished).sorted(),
      failures: (failures + failed).sorted { $0.path < $1.path }, unkeptAttributes: attributes.unkept)
  }

  /// Makes the changed folders that no file needed. Returns their places, and the failures that do not follow from those
  /// of files.
  private func makeFolders(besides known: [FileTreeError]) -> ([RelativePath], [FileTreeError]) {
    let opener = FolderOpener(root: results, missing: .make(folders))
    var made: [RelativePath] = []
    var failures: [FileTreeError] = []
    for (path, place) in changedFolders where !isCanceled() {
      do throws(SystemCallError) {
        _ = try opener.folder(place.bytes[...], after: place.bytes.count - path.bytes.count)
        made.append(place)
      } catch {
        guard !known.contains(where: { $0.path.bytes.starts(with: path.bytes + [0x2F]) }) else { continue }
        failures.append(FileTreeError("export", error, at: path))
      }
    }
    return (made, failures)
  }

  private func export(_ entry: ChangedEntry, _ storedAs: RelativePath?, _ lane: ExportLane) {
    do throws(SystemCallError) {
      try checkIsWanted()
      let name = try fileName(entry.path.name)
      let source = try lane.source.folder(entry.path.folder)
      let target: [UInt8]?
      if entry.kind == .symlink {
        target = try symlinkTarget(name, in: source).dropLast().map { UInt8(bitPattern: $0) }
      } else {
        target = nil
      }
      if let target, SymlinkEscape(tree: tree, path: entry.path).leadsOut(target) {
        lane.skipped.append(SkippedEntry(path: entry.path, reason: .escapingSymlink))
        return
      }
      let place = storedAs ?? entry.path
      let isBelow = place.bytes.suffix(entry.path.bytes.count).elementsEqual(entry.path.bytes)
      let offset = isBelow ? place.bytes.count - entry.path.bytes.count : .max
      let newName = try fileName(place.name)
      let file = FileExport(
        source: source, destination: try lane.destination.folder(place.folder, after: offset), owner: owner,
        durability: durability, attributes: attributes, buffer: lane.content.bytes, moved: moved)
      let written: FileExport.Written?
      if let target {
        written = try file.exportSymlink(target, as: newName)
      } else {
        written = try file.exportFile(name, as: newName)
      }
      if let written {
        meter.add(files: 1)
        lane.add(written, entry, storedAs)
      } else {
        lane.failures.append(FileTreeError(operation: "export", path: entry.path, reason: .sourceChanged))
      }
    } catch {
      if error.isCancellation {
        lane.unfinished.append(entry.path)
      } else if error.isMount {
        lane.skipped.append(SkippedEntry(path: entry.path, reason: .mount))
      } else {
        lane.failures.append(FileTreeError("export", error, at: entry.path))
      }
    }
  }

  /// Called for each copied piece of a file.
  private func moved(_ bytes: Int64) throws(SystemCallError) {
    meter.add(files: 0, bytes: bytes)
    try checkIsWanted()
  }

  private func checkIsWanted() throws(SystemCallError) {
    if isCanceled() { throw SystemCallError(call: .create, code: ECANCELED) }
  }

  private func makeDurable(_ files: [RelativePath], _ folders: [RelativePath]) throws(FileTreeError) {
    do throws(SystemCallError) {
      switch durability {
      case .together: try syncFileSystem(of: results)
      case .eachFile: try syncFolders(files.map { Array($0.folder) } + folders.map(\.bytes))
      }
    } catch {
      throw FileTreeError("export", error, at: RelativePath(bytes: []))
    }
  }

  /// File names are content of their folders (fsync(2)); new folders are synced, too.
  private func syncFolders(_ changed: [[UInt8]]) throws(SystemCallError) {
    var folders: Set<[UInt8]> = []
    for var folder in changed {
      while folders.insert(folder).inserted, !folder.isEmpty {
        folder = Array(RelativePath(bytes: folder).folder)
      }
    }
    let opener = FolderOpener(root: results)
    for folder in folders {
      let descriptor = folder.isEmpty ? try openFolder(in: results, ".") : try opener.folder(folder[...])
      defer { if folder.isEmpty { close(descriptor) } }
      try sync(descriptor)
    }
  }
}

/// The result of an export. Failed files have left nothing behind; all others are complete.
public struct Export: Sendable {
  /// The files in the results, complete and durable, in byte order of the paths.
  public let files: [ExportedFile]

  /// The skipped entries: symlinks that lead out of the tree, and mounts.
  public let skipped: [SkippedEntry]

  /// The entries that are missing because the export was canceled.
  public let unfinished: [RelativePath]

  /// The entries that could not be exported, each with its path in the tree and the reason.
  public let failures: [FileTreeError]

  /// The modes and times that the results do not have; `nil` if they have all.
  public let unkeptAttributes: UnkeptAttributes?
}

/// A file or symlink that is complete in the results.
public struct ExportedFile: Hashable, Sendable {
  /// Its path in the tree.
  public let path: RelativePath

  /// Its size in bytes; of a symlink, the length of its target.
  public let size: Int64

  /// Its permission bits, less setuid and setgid.
  public let mode: UInt32

  /// The SHA-256 of the written content, or of a symlink's target, in lower-case hexadecimal. `nil` for a file with
  /// more than 16 GiB of holes: storing them costs nothing, hashing them would.
  public let sha256: String?

  /// What has changed.
  public let change: ChangedEntry.Change

  /// Its path in the results, if that is not `path`.
  public let storedAs: RelativePath?
}

/// The user and group that own created files.
public struct Owner: Hashable, Sendable {
  /// The user id (uid_t).
  public let user: UInt32

  /// The group id (gid_t).
  public let group: UInt32

  /// Creates an owner from numeric ids.
  public init(user: UInt32, group: UInt32) {
    self.user = user
    self.group = group
  }

  /// Changes the owner of an open file or folder, if the process may: root may not in some containers, nor on volumes
  /// that map it to nobody (CAP_CHOWN, capabilities(7); root_squash, exports(5)). Call it after setting modes and
  /// times, which only the owner may set.
  func own(_ descriptor: Int32) {
    fchown(descriptor, user, group)
  }
}

/// The state of one thread of an export: its buffer, its open folders and its results.
final class ExportLane {
  let content = Buffer.forContent()
  let source: FolderOpener
  let destination: FolderOpener

  private(set) var files: [ExportedFile] = []
  var skipped: [SkippedEntry] = []
  var unfinished: [RelativePath] = []
  var failures: [FileTreeError] = []

  init(tree: Int32, results: Int32, _ folders: NewFolders) {
    source = FolderOpener(root: tree)
    destination = FolderOpener(root: results, missing: .make(folders))
  }

  func add(_ written: FileExport.Written, _ entry: ChangedEntry, _ storedAs: RelativePath?) {
    files.append(
      ExportedFile(
        path: entry.path, size: written.size, mode: written.mode,
        sha256: written.digest.map { String(decoding: hexadecimal($0), as: UTF8.self) },
        change: entry.change, storedAs: storedAs))
  }
}
