package import FileTree
private import Glibc
import Jobs
package import SystemPackage

/// The earlier results in a job's folder, which give way to those of a new attempt.
///
/// A worker's results/ is moved to results.previous/, and the earlier results.previous/ is removed. A folder is a
/// worker's if it has a worker's files: the file that becomes result.json, which comes first, or the steps' logs. Any
/// other folder belongs to a user, and is neither moved nor removed.
package struct EarlierResults {
  /// The file that becomes result.json; a worker creates it before anything else in results/.
  package static let reserve = ".result.json.reserved"
  /// The number of hidden folders whose removal is retried, and the time for that: leftovers must not slow each run
  /// down.
  package static let mostTried = 16
  package static let patience = Duration.seconds(1)

  package let folder: JobFolder

  package init(folder: JobFolder) {
    self.folder = folder
  }

  private var job: Int32 { folder.descriptor.rawValue }

  /// Moves earlier results aside, and returns a note for the result if there is one.
  ///
  /// An empty results/ stays: it may be a mount point, or have special permissions. From the second attempt on results/
  /// is moved whatever it holds: steps of the first attempt may have removed the worker's files. `isHeld` tells whether
  /// the job is still this attempt's: another's results stay in place. Throws ``JobFailure`` if results/ holds only files
  /// that no worker made, or another attempt has the job, and what is in its way; `Errno` if it may not be read or moved.
  func makeWay(for attempt: Int, whileHeld isHeld: () -> Bool) throws -> SkippedPath? {
    guard let results = try open(JobsDirectory.results) else { return nil }
    defer { try? results.close() }
    let found = try content(in: results)
    if found == .nothing { return nil }
    if case .foreign(let entry) = found, attempt == 1 {
      throw JobFailure(
        .stage,
        "\(folder.path)/\(JobsDirectory.results) \(EarlierResults.reason(entry)); rename or remove it, and send the job again"
      )
    }
    guard isHeld() else { throw notHeld }
    removeHidden()
    var notice = clearPrevious()
    if notice?.isInTheWay != true {
      do {
        try take(results, as: JobsDirectory.previousResults, in: folder.descriptor, while: isHeld)
        return notice?.told(found)
      } catch let error as Errno {
        notice = Notice("cannot take what results held: \(error)", isInTheWay: true)
      }
    }
    let prefix = found == .workers ? EarlierResults.hidden : EarlierResults.kept
    do {
      try makeWorkerState()
      let place = try openFile(JobsDirectory.workerState, .directory, in: folder.descriptor)
      defer { try? place.close() }
      try take(results, as: prefix + DurableFile.nonce, in: place, while: isHeld)
    } catch let error as Errno {
      // Of missing rights ``ResultsFolder`` tells.
      guard ![.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(error) else { throw error }
      let isMount = [.improperLink, .resourceBusy].contains(error)
      throw JobFailure(
        .stage,
        "\(folder.path)/\(JobsDirectory.results) cannot be moved to \(JobsDirectory.previousResults), nor into "
          + "\(JobsDirectory.workerState): \(error); "
          + (isMount ? "unmount what is mounted there" : "move what it holds") + ", and send the job again",
        cause: error)
    }
    return notice?.told(found)
  }

  /// Moves results/, which is open as `results`, to `name` in `place`; what it holds, if the folder cannot be renamed. Throws
  /// ``JobFailure`` if it belongs to another attempt by now, and `Errno` if it stays in place.
  private func take(
    _ results: FileDescriptor, as name: String, in place: FileDescriptor, while isHeld: () -> Bool
  ) throws {
    do throws(Errno) {
      try move(JobsDirectory.results, to: name, in: folder.descriptor, to: place)
    } catch {
      // As on SMB while this host has a file open in it.
      guard [.permissionDenied, .notPermitted, .resourceBusy].contains(error) else { throw error }
      let isWhole = try moveContent(of: results, into: Array(name.utf8CString), in: place, while: isHeld)
      guard isWhole else { throw notHeld }
      // Now the empty folder can be renamed. Who follows a job knows a new attempt by its new folder.
      _ = try? hide(JobsDirectory.results, as: EarlierResults.hidden)
      return
    }
    if try putBackOthers(name, in: place, insteadOf: results, isHeld) { throw notHeld }
  }

  /// Puts back `name`, which was results/ until now, if it is not the folder that this worker saw there: while it stood
  /// still, the next attempt may have begun, and even ended. Returns whether that was so.
  private func putBackOthers(
    _ name: String, in place: FileDescriptor, insteadOf seen: FileDescriptor, _ isHeld: () -> Bool
  ) throws(Errno) -> Bool {
    let own = try status(of: seen)
    guard let moved = try? status(of: name, in: place), !moved.isSameFile(as: own), !isHeld() else { return false }
    try move(name, to: JobsDirectory.results, in: place, to: folder.descriptor)
    return true
  }

  private var notHeld: JobFailure {
    JobFailure(.stage, "\(folder.path)/\(JobsDirectory.results) belongs to another attempt, which has the job by now")
  }

  /// Moves a worker's results.previous/ out of sight, to be removed by ``removeHidden(within:most:)``; leaves a folder
  /// alone that holds only files that no worker made. If `mayStill` says afterwards that the right to do so was lost, the
  /// folder gets its name back, and this returns `false`. Throws `Errno` if it cannot be moved, and what `mayStill` throws.
  package func hidePrevious(while mayStill: () throws -> Bool) throws -> Bool {
    guard try content(of: JobsDirectory.previousResults) == .workers else { return try mayStill() }
    let name = try hide(JobsDirectory.previousResults, as: EarlierResults.hidden)
    do {
      if try mayStill() { return true }
    } catch {
      try? putBackPrevious(name)
      throw error
    }
    try putBackPrevious(name)
    return false
  }

  private func putBackPrevious(_ name: String) throws(Errno) {
    try inWorkerState { (place) throws(Errno) in
      // Where a worker has put newer ones by now, these stay hidden, and go.
      guard (try? status(of: JobsDirectory.previousResults, in: folder.descriptor)) == nil else { return }
      try move(name, to: JobsDirectory.previousResults, in: place, to: folder.descriptor)
    }
  }

  /// Whether there are hidden folders.
  package var areHidden: Bool {
    guard let place = try? openFile(JobsDirectory.workerState, .directory, in: folder.descriptor) else { return false }
    defer { try? place.close() }
    return (try? firstName(in: place) { $0.hasPrefix(EarlierResults.hidden) }) != nil
  }

  /// What a worker's results.previous/ and the hidden folders hold; `nil` if there are none.
  package var previousSize: TreeSize? {
    var size: TreeSize?
    let add = { (name: String, parent: FileDescriptor) in
      guard let earlier = try? openFile(name, .directory, in: parent) else { return }
      defer { try? earlier.close() }
      size = size ?? TreeSize()
      size? += FileTree.size(of: earlier)
    }
    if (try? content(of: JobsDirectory.previousResults)) == .workers {
      add(JobsDirectory.previousResults, folder.descriptor)
    }
    guard let place = try? openFile(JobsDirectory.workerState, .directory, in: folder.descriptor) else { return size }
    defer { try? place.close() }
    _ = try? firstName(in: place) { name in
      if name.hasPrefix(EarlierResults.hidden) { add(name, place) }
      return false
    }
    return size
  }

  /// The folders that hold only files that no worker made, each with a name of one.
  package var foreign: [(name: String, entry: String)] {
    [JobsDirectory.results, JobsDirectory.previousResults].compactMap { name in
      if case .foreign(let entry) = try? content(of: name) { (name, entry) } else { nil }
    }
  }

  /// Throws `Errno` if it cannot be read or is no folder.
  package func content(of name: String) throws(Errno) -> Content {
    guard let descriptor = try open(name) else { return .nothing }
    defer { try? descriptor.close() }
    return try content(in: descriptor)
  }

  /// Opens a folder of the job; `nil` if it does not exist.
  private func open(_ name: String) throws(Errno) -> FileDescriptor? {
    do throws(Errno) {
      return try openFile(name, .directory, in: folder.descriptor)
    } catch {
      guard error == .noSuchFileOrDirectory else { throw error }
      return nil
    }
  }

  /// A note about results.previous/.
  private struct Notice {
    let reason: String
    /// Whether the folder is still there.
    let isInTheWay: Bool

    init(_ reason: String, isInTheWay: Bool) {
      self.reason = reason
      self.isInTheWay = isInTheWay
    }

    /// The note, where results/ held `content`.
    func told(_ content: Content) -> SkippedPath {
      let place = "; what results held lies in \(JobsDirectory.workerState)"
      let rest = isInTheWay ? place + (content == .workers ? " until the next run" : "") : ""
      return SkippedPath(path: WorkspacePath(JobsDirectory.previousResults), reason: reason + rest)
    }
  }

  /// Removes results.previous/ if a worker made it, or hides it if it cannot be removed. `nil` on success.
  private func clearPrevious() -> Notice? {
    do throws(Errno) {
      switch try content(of: JobsDirectory.previousResults) {
      case .nothing: return nil
      case .foreign(let entry):
        return Notice("is left alone: it \(EarlierResults.reason(entry))", isInTheWay: true)
      case .workers: break
      }
    } catch {
      return Notice("is left alone: \(error)", isInTheWay: true)
    }
    do throws(FileTreeError) {
      try FileTree.remove(JobsDirectory.previousResults, in: folder.descriptor)
      return nil
    } catch {
      let isHidden = (try? hide(JobsDirectory.previousResults, as: EarlierResults.hidden)) != nil
      return Notice(
        isHidden ? "\(error); it lies in \(JobsDirectory.workerState) until it can be removed" : "\(error)",
        isInTheWay: !isHidden)
    }
  }
}

// Folders that cannot be removed: with files open on NFS, mounts, or files of other users.
extension EarlierResults {
  /// Prefix of a worker's folder, which is removed as soon as possible.
  private static let hidden = ".earlier-results."
  /// Prefix of a folder that is never removed.
  private static let kept = "results."

  /// Moves a folder into the job's `.worker`, which is never staged.
  @discardableResult
  private func hide(_ name: String, as prefix: String) throws(Errno) -> String {
    let newName = prefix + DurableFile.nonce
    try makeWorkerState()
    try inWorkerState { (place) throws(Errno) in
      try move(name, to: newName, in: folder.descriptor, to: place)
    }
    return newName
  }

  private func makeWorkerState() throws(Errno) {
    guard try makeFolder(JobsDirectory.workerState, in: folder.descriptor), let owner = folder.ownerToGive else {
      return
    }
    try inWorkerState { (place) throws(Errno) in _ = fchown(place.rawValue, owner.user, owner.group) }
  }

  private func inWorkerState<T>(_ body: (FileDescriptor) throws(Errno) -> T) throws(Errno) -> T {
    let place = try openFile(JobsDirectory.workerState, .directory, in: folder.descriptor)
    defer { try? place.close() }
    return try body(place)
  }

  /// Removes hidden folders, as far as possible.
  package func removeHidden(within patience: Duration = patience, most: Int = mostTried) {
    guard let place = try? openFile(JobsDirectory.workerState, .directory, in: folder.descriptor) else { return }
    defer { try? place.close() }
    let end = ContinuousClock.now + patience
    var tried = 0
    _ = try? firstName(in: place) { name in
      guard name.hasPrefix(EarlierResults.hidden) else { return false }
      tried += 1
      try? FileTree.remove(name, in: place, isCanceled: { ContinuousClock.now >= end })
      return tried == most || ContinuousClock.now >= end
    }
    unlinkat(job, JobsDirectory.workerState, AT_REMOVEDIR)
  }
}
