import Glibc
import Synchronization
public import SystemPackage

extension FileTree {
  /// Copies the selected entries below `source` into the folder `destination`, which exists and contains none of the
  /// files. Folders that it already contains are filled, and keep their modes and times.
  ///
  /// Copies files, folders and symlinks (never followed), with times and modes less setuid and setgid. Holes stay
  /// holes, names are bytes, hard links become separate files. FIFOs, sockets, devices and mounts are skipped and
  /// listed in the snapshot; the names in `excluding` at the top, and what is not selected, are skipped without being
  /// listed. Modes and times that the destination does not keep are counted in the snapshot; those of the two roots are
  /// left alone. PATH_MAX does not limit the depth of the tree.
  ///
  /// Blocks the calling thread, and starts further threads. `progress` is called from any of them, one at a time, a few
  /// times a second.
  ///
  /// - Parameter isCanceled: Called before each entry and after each piece of a file of at most 16 MiB, from any of the
  ///   threads.
  /// - Throws: `FileTreeError` with the first path that could not be copied; the destination is then incomplete. Its
  ///   errno is ECANCELED when the copy was canceled. Its reason is `sourceChanged` when a file changed while it was
  ///   copied, and again during the second attempt.
  public static func copy(
    _ source: FileDescriptor, to destination: FileDescriptor, excluding: Set<String> = [],
    selecting selection: Selection = .all, threads: Int = FileTree.mostThreads,
    progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(FileTreeError) -> Snapshot {
    let copy = TreeCopy(
      excluding: excluding, selecting: selection, threads: threads, progress: progress, isCanceled: isCanceled)
    return try copy.run(from: source.rawValue, to: destination.rawValue)
  }
}

/// One copy of a tree in progress.
final class TreeCopy: Sendable {
  enum Item {
    /// A folder to create and fill.
    case folder(parent: CopyFolder, name: [CChar], number: Int32, verdict: Selection.Verdict)
    /// A piece of an open folder's listing; empty: the whole listing.
    case entries(CopyFolder, [UInt8])
  }

  typealias Queue = WorkQueue<Item, CopyLane>

  private let excluded: ExcludedNames
  private let selection: Selection
  private let threads: Int
  private let meter: ProgressMeter
  private let isCanceled: @Sendable () -> Bool
  private let methods = CopyMethods()
  private let attributes = Attributes()
  private let open = OpenFolders()
  private let folders = Atomic<Int32>(Snapshot.root + 1)
  private let failure = FirstFailure()

  init(
    excluding: Set<String>, selecting selection: Selection = .all, threads: Int = FileTree.mostThreads,
    progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) {
    self.isCanceled = isCanceled
    excluded = ExcludedNames(excluding)
    self.selection = selection
    self.threads = threads
    meter = ProgressMeter(progress)
  }

  func run(from source: Int32, to destination: Int32) throws(FileTreeError) -> Snapshot {
    let root: CopyFolder
    do throws(SystemCallError) {
      let descriptors = try openPair(".", in: FolderDescriptors(first: source, second: destination))
      root = CopyFolder(
        parent: nil, name: [0], number: Snapshot.root, verdict: selection.root, original: nil, descriptors: descriptors,
        open: open)
    } catch {
      throw FileTreeError("copy", error, at: RelativePath(bytes: []))
    }
    let queue = Queue(
      threads: threads, makeLane: { CopyLane() },
      perform: { item, lane, queue in self.perform(item, lane, queue) })
    let lanes = queue.run([.entries(root, [])])
    if let failure = failure.value { throw failure }
    var snapshot = Snapshot(
      pieces: lanes.flatMap(\.pieces), folders: Int(folders.load(ordering: .relaxed)), modes: lanes.flatMap(\.modes),
      skipped: lanes.flatMap(\.skipped), files: lanes.reduce(0) { $0 + $1.files },
      bytes: lanes.reduce(0) { $0 &+ $1.bytes }, unkeptAttributes: attributes.unkept)
    snapshot.settle(in: destination)
    return snapshot
  }

  private func perform(_ item: Item, _ lane: CopyLane, _ queue: Queue) {
    switch item {
    case .folder(let parent, let name, let number, let verdict):
      copyFolder(parent, name, number, verdict, lane, queue)
    case .entries(let folder, let records) where records.isEmpty: copyListing(of: folder, lane, queue)
    case .entries(let folder, let records):
      records.withUnsafeBytes { copyEntries(DirectoryEntries($0), of: folder, lane, queue) }
      readerEnded(folder, lane)
    }
  }

  private func copyFolder(
    _ parent: CopyFolder, _ name: [CChar], _ number: Int32, _ verdict: Selection.Verdict, _ lane: CopyLane,
    _ queue: Queue
  ) {
    do throws(SystemCallError) {
      let (descriptors, original) = try parent.withDescriptors { (pair) throws(SystemCallError) in
        try makeFolder(name, in: pair)
      }
      let folder = CopyFolder(
        parent: parent, name: name, number: number, verdict: verdict, original: original, descriptors: descriptors,
        open: open)
      if let original { lane.modes.append((number, original.st_mode & FileCopy.permissions)) }
      if parent.subfolderEnded() { complete(parent) }
      copyListing(of: folder, lane, queue)
    } catch {
      let path = parent.path(of: name)
      if error.isMount {
        lane.skipped.append(SkippedEntry(path: path, reason: .mount))
        if parent.subfolderEnded() { complete(parent) }
        return
      }
      if error.call == .openFolder, error.code == ENOENT || error.code == ESTALE {
        // It was removed after it was listed.
        if parent.subfolderEnded() { complete(parent) }
        return
      }
      let isOther = error.call == .openFolder && [ENOTDIR, ELOOP].contains(error.code)
      fail(
        isOther
          ? FileTreeError(operation: "copy", path: path, reason: .sourceChanged)
          : FileTreeError("copy", error, at: path), queue)
    }
  }

  /// Opens the folder in the source and creates it in the destination, at first with all rights for its owner. A folder
  /// that exists has no original whose mode it gets.
  private func makeFolder(
    _ name: [CChar], in parents: FolderDescriptors
  ) throws(SystemCallError) -> (FolderDescriptors, stat?) {
    let source = try openFolder(in: parents.first, name)
    do throws(SystemCallError) {
      let original = try status(of: source)
      let isNew = try makeFolder(name, in: parents.second)
      let destination = try openFolder(in: parents.second, name)
      return (FolderDescriptors(first: source, second: destination), isNew ? original : nil)
    } catch {
      close(source)
      // A mount on the new folder makes the copy incomplete, unlike a mount in the source: report a failure.
      throw error.isMount ? SystemCallError(call: .makeFolder, code: error.code) : error
    }
  }

  /// Creates a folder; `false` if it exists.
  private func makeFolder(_ name: [CChar], in folder: Int32) throws(SystemCallError) -> Bool {
    do throws(SystemCallError) {
      _ = try retrying(.makeFolder) { mkdirat(folder, name, 0o700) }
      return true
    } catch {
      guard error.code == EEXIST else { throw error }
      return false
    }
  }

  private func copyListing(of folder: CopyFolder, _ lane: CopyLane, _ queue: Queue) {
    do throws(SystemCallError) {
      try DirectoryEntries.pieces(of: folder.descriptors.first, into: lane.listing, while: { !queue.isStopped }) {
        copyEntries($0, of: folder, lane, queue)
      }
    } catch {
      fail(FileTreeError("copy", error, at: folder.path), queue)
    }
    readerEnded(folder, lane)
  }

  private func copyEntries(_ all: DirectoryEntries, of folder: CopyFolder, _ lane: CopyLane, _ queue: Queue) {
    var entries = all
    let copy = FileCopy(
      folders: folder.descriptors, methods: methods, attributes: attributes, buffer: lane.content.bytes,
      moved: moved(lane, queue))
    while !queue.isStopped {
      if queue.isHungry, let half = entries.split() {
        folder.addReader()
        queue.push(.entries(folder, half))
      }
      guard let (name, kind) = entries.next() else { break }
      if folder.parent == nil && excluded.contains(name) { continue }
      if kind == .folder {
        addSubfolder(name, of: folder, lane, queue)
        continue
      }
      if !selection.isAll, !selects(name, kind, in: folder) { continue }
      do throws(SystemCallError) {
        try checkIsWanted()
        switch try copy.run(name, kind) {
        case .copied(let entry): lane.add(name, entry)
        case .skipped(let reason): lane.skipped.append(SkippedEntry(path: folder.path(of: name), reason: reason))
        case .isFolder: addSubfolder(name, of: folder, lane, queue)
        case .vanished: break
        case .sourceChanged:
          fail(FileTreeError(operation: "copy", path: folder.path(of: name), reason: .sourceChanged), queue)
        }
      } catch {
        fail(FileTreeError("copy", error, at: folder.path(of: name)), queue)
      }
      tell(lane, files: 1)
      queue.grow()
    }
    lane.endPiece(of: folder.number)
  }

  /// Called for each copied piece of a file. Large pieces are reported at once and let waiting threads join; small ones
  /// are reported with their file.
  private func moved(_ lane: CopyLane, _ queue: Queue) -> (Int64) throws(SystemCallError) -> Void {
    { (bytes) throws(SystemCallError) in
      lane.untold &+= bytes
      try self.checkIsWanted()
      if bytes < ContentCopy.largeFile { return }
      self.tell(lane, files: 0)
      queue.grow()
    }
  }

  private func tell(_ lane: CopyLane, files: Int) {
    meter.add(files: files, bytes: lane.untold)
    lane.untold = 0
  }

  private func checkIsWanted() throws(SystemCallError) {
    if isCanceled() { throw SystemCallError(call: .create, code: ECANCELED) }
  }

  /// Whether to copy an entry that is no folder, or of which that is not known yet.
  private func selects(_ name: FileName, _ kind: FileKind, in folder: CopyFolder) -> Bool {
    let isFolder = kind == .unknown && (try? status(of: name, in: folder.descriptors.first))?.kind == .folder
    return isFolder
      || selection.verdict(on: folder.path(of: name), isFolder: false, in: folder.verdict) == .selected
  }

  private func addSubfolder(_ name: FileName, of folder: CopyFolder, _ lane: CopyLane, _ queue: Queue) {
    let verdict =
      selection.isAll
      ? folder.verdict : selection.verdict(on: folder.path(of: name), isFolder: true, in: folder.verdict)
    if verdict == .left { return }
    let number = folders.add(1, ordering: .relaxed).oldValue
    lane.add(folder: number, name)
    folder.addSubfolder()
    queue.push(.folder(parent: folder, name: terminated(name), number: number, verdict: verdict))
  }

  private func readerEnded(_ folder: CopyFolder, _ lane: CopyLane) {
    if folder.readerEnded().complete { complete(folder) }
  }

  /// Sets the folder's mode and times, which last because the folder is complete.
  private func complete(_ folder: CopyFolder) {
    defer { folder.closeForGood() }
    guard let original = folder.original, failure.value == nil else { return }
    do throws(SystemCallError) {
      try folder.withDescriptors { (pair) throws(SystemCallError) in
        attributes.setMode(original.st_mode & FileCopy.permissions, of: pair.second)
        attributes.setTimes(of: pair.second, from: original)
      }
    } catch {
      failure.set(FileTreeError("copy", error, at: folder.path))
    }
  }

  private func fail(_ error: FileTreeError, _ queue: Queue) {
    failure.set(error)
    queue.stop()
  }
}
