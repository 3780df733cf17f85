import Crypto
import Glibc
import Synchronization
public import SystemPackage

extension FileTree {
  /// Copies what has changed in `tree` into `results`, each file complete or not at all.
  ///
  /// A file is written under a temporary name (`.<random>.partial`, in the folder where it goes), then renamed over
  /// what is there. Modes (less setuid and setgid), mtimes and holes are kept. Missing folders are made, with
  /// the modes of those in the tree. `storedAs`
  /// gives the path in `results` where that is not the path in the tree. Symlinks that are absolute or lead out by
  /// `..` are skipped. No symlink in `results` is followed. Everything is durable at the return: by fsync(2) for a few files, by one
  /// syncfs(2) for many, where the file system has a true one. What is mounted in the tree is skipped.
  ///
  /// Blocks the calling thread, and works in threads of its own besides. `progress` is called from any of them, one
  /// at a time, some times a second.
  ///
  /// - Parameters:
  ///   - owner: Whom files and folders that are made belong to; `nil`: the user that runs this.
  ///   - isCanceled: Is asked before each entry, and after each piece of a file; from any of the threads. What is complete by
  ///     then stays.
  /// - Returns: What is complete, what was skipped, what is missing because it was canceled, and what failed: one file that
  ///   cannot be exported does not keep the others back.
  /// - Throws: `FileTreeError` when what was written cannot be made durable, so that nothing is certain.
  public static func export(
    _ changes: Changes, from tree: FileDescriptor, to results: FileDescriptor,
    storedAs: (RelativePath) -> RelativePath? = { _ in nil }, owner: Owner? = nil,
    threads: Int = FileTree.mostThreads, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(FileTreeError) -> Export {
    let export = TreeExport(
      changes.changed.map { ($0, storedAs($0.path)) }, from: tree.rawValue, to: results.rawValue, owner: owner,
      threads: threads, progress: progress, isCanceled: isCanceled)
    return try export.run()
  }
}

/// One export, while it goes on.
final class TreeExport: Sendable {
  typealias Queue = WorkQueue<Range<Int>, ExportLane>

  /// Up to so many files, fsync for each is cheaper than to flush what else the file system has to write.
  private static let few = 16

  /// How many files a thread takes at once. Neighbours are in the same folder, mostly, which is opened once for all;
  /// but a thread that waits for fsync should not have more to do while others idle.
  private var batch: Int { durability == .eachFile ? 1 : 16 }

  private let entries: [(entry: ChangedEntry, storedAs: RelativePath?)]
  private let tree: Int32
  private let results: Int32
  private let owner: Owner?
  private let folders: NewFolders
  private let durability: FileExport.Durability
  private let threads: Int
  private let meter: ProgressMeter
  private let isCanceled: @Sendable () -> Bool

  init(
    _ entries: [(ChangedEntry, RelativePath?)], from tree: Int32, to results: Int32, owner: Owner?,
    threads: Int = FileTree.mostThreads, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.isCanceled = isCanceled
    meter = ProgressMeter(progress)
    self.entries = entries
    self.tree = tree
    self.results = results
    self.owner = owner
    folders = NewFolders(for: owner)
    self.threads = threads
    durability = entries.count <= Self.few || !hasTrueSyncfs(results) ? .eachFile : .together
  }

  func run() throws(FileTreeError) -> Export {
    if entries.isEmpty { return Export(files: [], skipped: [], unfinished: [], failures: []) }
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
    folders.finish(in: results, of: tree)
    let files = lanes.flatMap(\.files).sorted { $0.path < $1.path }
    try makeDurable(files)
    return Export(
      files: files, skipped: lanes.flatMap(\.skipped).sorted { $0.path < $1.path },
      unfinished: lanes.flatMap(\.unfinished).sorted(),
      failures: lanes.flatMap(\.failures).sorted { $0.path < $1.path })
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
        durability: durability,
        buffer: lane.content, moved: moved)
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

  /// For each piece of a file.
  private func moved(_ bytes: Int64) throws(SystemCallError) {
    meter.add(files: 0, bytes: bytes)
    try checkIsWanted()
  }

  private func checkIsWanted() throws(SystemCallError) {
    if isCanceled() { throw SystemCallError(call: .create, code: ECANCELED) }
  }

  private func makeDurable(_ files: [ExportedFile]) throws(FileTreeError) {
    do throws(SystemCallError) {
      switch durability {
      case .together: try syncFileSystem(of: results)
      case .eachFile: try syncFolders(of: files)
      }
    } catch {
      throw FileTreeError("export", error, at: RelativePath(bytes: []))
    }
  }

  /// The names are content of the folders (fsync(2)), those of new folders too.
  private func syncFolders(of files: [ExportedFile]) throws(SystemCallError) {
    var folders: Set<[UInt8]> = []
    for file in files {
      var folder = Array((file.storedAs ?? file.path).folder)
      while folders.insert(folder).inserted, !folder.isEmpty {
        folder = Array(RelativePath(bytes: folder).folder)
      }
    }
    let way = FolderOpener(root: results)
    for folder in folders {
      let descriptor = folder.isEmpty ? try openFolder(in: results, ".") : try way.folder(folder[...])
      defer { if folder.isEmpty { close(descriptor) } }
      try sync(descriptor)
    }
  }
}

/// What came of an export. Files that failed have left nothing behind; all others are complete.
public struct Export: Sendable {
  /// What is in the results, complete and durable, in byte order of the paths.
  public let files: [ExportedFile]

  /// What was left out: symlinks that lead out of the tree, and mounts.
  public let skipped: [SkippedEntry]

  /// What is missing because the export was canceled.
  public let unfinished: [RelativePath]

  /// What could not be exported, and why, each with its path in the tree.
  public let failures: [FileTreeError]
}

/// A file or symlink that is complete in the results.
public struct ExportedFile: Hashable, Sendable {
  /// Where it lay in the tree.
  public let path: RelativePath

  /// Its size in bytes; of a symlink, the length of its target.
  public let size: Int64

  /// Its permission bits, less setuid and setgid.
  public let mode: UInt32

  /// The SHA-256 of what was written, of a symlink that of its target; lower-case hexadecimal. `nil` for a file with holes of
  /// more than 16 GiB: they cost nothing but to be hashed.
  public let sha256: String?

  /// Whether it is new or modified.
  public let change: ChangedEntry.Change

  /// Where it lies in the results, if that is not `path`.
  public let storedAs: RelativePath?
}

/// The user and group that files are made for.
public struct Owner: Hashable, Sendable {
  /// The user id (uid_t).
  public let user: UInt32

  /// The group id (gid_t).
  public let group: UInt32

  /// An owner by numbers.
  public init(user: UInt32, group: UInt32) {
    self.user = user
    self.group = group
  }

  /// Gives an open file or folder to them, if this process may: root has no right to it in some containers, and on volumes that
  /// take it for nobody (CAP_CHOWN, capabilities(7); root_squash, exports(5)). After modes and times, which only an owner sets.
  func own(_ descriptor: Int32) {
    fchown(descriptor, user, group)
  }
}

/// What one thread of an export has for its own.
final class ExportLane {
  let content = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 4096)
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

  deinit {
    content.deallocate()
  }

  func add(_ written: FileExport.Written, _ entry: ChangedEntry, _ storedAs: RelativePath?) {
    files.append(
      ExportedFile(
        path: entry.path, size: written.size, mode: written.mode,
        sha256: written.digest.map { String(decoding: hexadecimal($0), as: UTF8.self) },
        change: entry.change, storedAs: storedAs))
  }
}
