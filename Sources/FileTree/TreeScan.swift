import Glibc
public import SystemPackage

extension FileTree {
  /// The differences between `tree` and its state when `snapshot` was taken.
  ///
  /// A file has changed if its inode, size, mode, mtime or ctime differ from the snapshot, and its content differs from
  /// the same path below `original`, from which it was copied; content is compared only where the size is the same. So
  /// an unchanged file costs one fstatat(2), `touch` alone is no change, and an edit of the same size within the same
  /// second is one. Permission bits, other than setuid and setgid, are a change of their own. If the original can no
  /// longer be read, the file counts as modified. A mount in the tree is `skipped`, whatever it holds. What `selection`
  /// leaves out is in none of the lists, and its folders are not entered.
  ///
  /// Blocks the calling thread, and starts further threads.
  ///
  /// - Parameter isCanceled: Called before each entry and after each piece of a compared file, from any of the threads.
  /// - Throws: `FileTreeError` when the root cannot be listed, ECANCELED when it was canceled. Errors further down are
  ///   in `failures`.
  public static func changes(
    in tree: FileDescriptor, since snapshot: Snapshot, original: FileDescriptor, selecting selection: Selection = .all,
    threads: Int = FileTree.mostThreads, isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(FileTreeError) -> Changes {
    let scan = TreeScan(
      snapshot, original: original.rawValue, selecting: selection, threads: threads, isCanceled: isCanceled)
    return try scan.run(tree.rawValue)
  }
}

/// One scan for changes in progress.
final class TreeScan: Sendable {
  enum Item {
    /// A folder to scan; `number` is its number in the snapshot, if it is there.
    case folder(parent: ScanFolder, name: [CChar], number: Int32?, verdict: Selection.Verdict)
    /// A piece of an open folder's listing; empty: the whole listing.
    case entries(ScanFolder, [UInt8])
  }

  typealias Queue = WorkQueue<Item, ScanLane>

  private let snapshot: Snapshot
  private let original: Int32
  private let selection: Selection
  private let threads: Int
  private let isCanceled: @Sendable () -> Bool
  private let open = OpenFolders()

  init(
    _ snapshot: Snapshot, original: Int32, selecting selection: Selection = .all, threads: Int = FileTree.mostThreads,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.isCanceled = isCanceled
    self.snapshot = snapshot
    self.original = original
    self.selection = selection
    self.threads = threads
  }

  func run(_ tree: Int32) throws(FileTreeError) -> Changes {
    let root: ScanFolder
    do throws(SystemCallError) {
      let descriptors = FolderDescriptors(first: try openFolder(in: tree, "."), second: -1)
      root = ScanFolder(
        parent: nil, name: [0], index: FolderIndex(snapshot, folder: Snapshot.root), verdict: selection.root,
        descriptors: descriptors, open: open)
    } catch {
      throw FileTreeError("compare", error, at: RelativePath(bytes: []))
    }
    let queue = Queue(
      threads: threads, makeLane: { [original] in ScanLane(original: original) },
      perform: { item, lane, queue in self.perform(item, lane, queue) })
    let lanes = queue.run([.entries(root, [])])
    if queue.isStopped {
      throw FileTreeError("compare", SystemCallError(call: .list, code: ECANCELED), at: RelativePath(bytes: []))
    }
    let failures = lanes.flatMap(\.failures)
    if let failure = failures.first(where: { $0.path.bytes.isEmpty }) { throw failure }
    return Changes(
      changed: lanes.flatMap(\.changed), folders: lanes.flatMap(\.folders),
      deleted: lanes.flatMap(\.deleted).filter { selection.selects($0) }, skipped: lanes.flatMap(\.skipped),
      failures: failures)
  }

  private func perform(_ item: Item, _ lane: ScanLane, _ queue: Queue) {
    switch item {
    case .folder(let parent, let name, let number, let verdict):
      scanFolder(parent, name, number, verdict, lane, queue)
    case .entries(let folder, let records) where records.isEmpty: scanListing(of: folder, lane, queue)
    case .entries(let folder, let records):
      records.withUnsafeBytes { scanEntries(DirectoryEntries($0), of: folder, lane, queue) }
      readerEnded(folder, lane)
    }
  }

  private func scanFolder(
    _ parent: ScanFolder, _ name: [CChar], _ number: Int32?, _ verdict: Selection.Verdict, _ lane: ScanLane,
    _ queue: Queue
  ) {
    do throws(SystemCallError) {
      let descriptor = try parent.withDescriptors { (pair) throws(SystemCallError) in
        try openFolder(in: pair.first, name)
      }
      let folder = ScanFolder(
        parent: parent, name: name, index: number.map { FolderIndex(snapshot, folder: $0) }, verdict: verdict,
        descriptors: FolderDescriptors(first: descriptor, second: -1), open: open)
      if verdict == .selected {
        let mode = try status(of: descriptor).st_mode & FileCopy.permissions
        if number.map({ snapshot.hasMode(mode, otherThanOfFolder: $0) }) ?? true { lane.folders.append(folder.path) }
      }
      scanListing(of: folder, lane, queue)
    } catch {
      note(error, at: parent.path(of: name), lane)
    }
    if parent.subfolderEnded() { parent.closeForGood() }
  }

  private func scanListing(of folder: ScanFolder, _ lane: ScanLane, _ queue: Queue) {
    do throws(SystemCallError) {
      try DirectoryEntries.pieces(of: folder.descriptors.first, into: lane.listing, while: { !queue.isStopped }) {
        scanEntries($0, of: folder, lane, queue)
      }
    } catch {
      lane.failures.append(FileTreeError("compare", error, at: folder.path))
      folder.markIncomplete()
    }
    readerEnded(folder, lane)
  }

  private func scanEntries(_ all: DirectoryEntries, of folder: ScanFolder, _ lane: ScanLane, _ queue: Queue) {
    var entries = all
    let descriptor = folder.descriptors.first
    while !queue.isStopped {
      if isCanceled() { return queue.stop() }
      if queue.isHungry, let half = entries.split() {
        folder.addReader()
        queue.push(.entries(folder, half))
      }
      guard let (name, listedKind) = entries.next() else { return }
      let known = folder.index?.find(name)
      do throws(SystemCallError) {
        if listedKind == .folder {
          addSubfolder(name, known, of: folder, queue)
        } else {
          let now = try status(of: name, in: descriptor)
          if !selection.isAll, now.kind != .folder, !selects(name, in: folder) { continue }
          try look(at: name, now, known, in: folder, descriptor, lane, queue)
        }
      } catch {
        // It was removed after it was listed: without a mark it counts as deleted.
        if error.code != ENOENT {
          note(error, at: folder.path(of: name), lane)
          if let known { folder.index?.markSeen(known.number) }
        }
      }
      queue.grow()
    }
  }

  private func look(
    at name: FileName, _ now: stat, _ known: (entry: SnapshotEntry, number: Int)?, in folder: ScanFolder,
    _ descriptor: Int32, _ lane: ScanLane, _ queue: Queue
  ) throws(SystemCallError) {
    let kind: ChangedEntry.Kind
    switch now.kind {
    case .file: kind = .file
    case .symlink: kind = .symlink
    case .folder: return addSubfolder(name, known, of: folder, queue)
    case let other:
      lane.skipped.append(SkippedEntry(path: folder.path(of: name), reason: other.skipReason ?? .unknownKind))
      return
    }
    guard let known, known.entry.kind != .folder else {
      return try add(name, kind, .new, now, in: folder, descriptor, lane)
    }
    folder.index?.markSeen(known.number)
    let isUntouched = known.entry.isUntouched(now)
    if isUntouched && known.entry.changed < snapshot.uncertainFrom { return }
    if known.entry.kind == now.kind && known.entry.size == Int64(now.st_size) {
      let path = folder.path(of: name)
      switch compare(name, kind, known.entry, descriptor, path, lane) {
      case .same:
        guard (known.entry.mode ^ now.st_mode) & FileCopy.permissions != 0 else { return }
        return try add(name, kind, .mode, now, in: folder, descriptor, lane)
      case .different(let isOriginal): if isUntouched && !isOriginal { return }
      // If the file in the tree is the unreadable one, its export fails and reports that.
      case .unknown: if isUntouched { return }
      }
    }
    try add(name, kind, .modified, now, in: folder, descriptor, lane)
  }

  /// Adds a changed entry, unless it is a mount point.
  private func add(
    _ name: FileName, _ kind: ChangedEntry.Kind, _ change: ChangedEntry.Change, _ now: stat, in folder: ScanFolder,
    _ descriptor: Int32, _ lane: ScanLane
  ) throws(SystemCallError) {
    let path = folder.path(of: name)
    if kind == .file, try MountBoundary.lies(on: name, in: descriptor) {
      lane.skipped.append(SkippedEntry(path: path, reason: .mount))
    } else {
      lane.add(path, kind, change, now)
    }
  }

  /// Skips a mount; any other entry that cannot be examined is a failure.
  private func note(_ error: SystemCallError, at path: RelativePath, _ lane: ScanLane) {
    if error.isMount {
      lane.skipped.append(SkippedEntry(path: path, reason: .mount))
    } else {
      lane.failures.append(FileTreeError("compare", error, at: path))
    }
  }

  private func compare(
    _ name: FileName, _ kind: ChangedEntry.Kind, _ entry: SnapshotEntry, _ descriptor: Int32, _ path: RelativePath,
    _ lane: ScanLane
  ) -> ContentComparison.Result {
    do throws(SystemCallError) {
      let comparison = ContentComparison(
        name: name, folder: descriptor, otherFolder: try lane.original.folder(path.folder), buffer: lane.content.bytes,
        isCanceled: isCanceled)
      return try kind == .file
        ? comparison.compareFiles(since: entry.modified) : comparison.compareSymlinks(since: entry.modified)
    } catch {
      return .unknown
    }
  }

  private func selects(_ name: FileName, in folder: ScanFolder) -> Bool {
    selection.verdict(on: folder.path(of: name), isFolder: false, in: folder.verdict) == .selected
  }

  private func addSubfolder(
    _ name: FileName, _ known: (entry: SnapshotEntry, number: Int)?, of folder: ScanFolder, _ queue: Queue
  ) {
    let verdict =
      selection.isAll
      ? folder.verdict : selection.verdict(on: folder.path(of: name), isFolder: true, in: folder.verdict)
    if verdict == .left { return }
    var number: Int32?
    if let known, known.entry.kind == .folder {
      folder.index?.markSeen(known.number)
      number = Int32(known.entry.identity)
    }
    folder.addSubfolder()
    queue.push(.folder(parent: folder, name: terminated(name), number: number, verdict: verdict))
  }

  private func readerEnded(_ folder: ScanFolder, _ lane: ScanLane) {
    let (listed, complete) = folder.readerEnded()
    if listed, !folder.isIncomplete {
      folder.index?.forEachUnseen { entry, name in
        lane.addDeleted(folder.path(of: name).bytes, entry, snapshot)
      }
    }
    if complete { folder.closeForGood() }
  }
}
