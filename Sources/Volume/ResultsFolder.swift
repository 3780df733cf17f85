private import CLinux
package import FileTree
private import Glibc
package import Jobs
private import Synchronization
package import SystemPackage

/// A job's results/ on the volume, used through its descriptor: if a later attempt moves the folder aside, the files
/// that this one still writes go with it.
package final class ResultsFolder: Sendable {
  package let descriptor: FileDescriptor
  private let folder: JobFolder
  private let owner: Owner?
  private let isHeld: @Sendable () -> Bool
  /// The open file that becomes result.json: a step could put another file or a link under its name.
  private let reserved = Mutex<FileDescriptor?>(nil)
  private static let reserve = EarlierResults.reserve
  /// Space for the result of a job with a few steps and some hundred artifacts, or for any result without its lists.
  private static let leastReserve = 64 << 10
  private let late = Atomic(false)
  /// Whether the volume may accept what it has no room for, and say so only when it is synced.
  package var fillsLate: Bool { late.load(ordering: .relaxed) }
  /// A note about earlier results that could not be moved aside.
  package let notice: SkippedPath?

  private init(
    _ folder: JobFolder, _ descriptor: FileDescriptor, _ notice: SkippedPath?, _ isHeld: @escaping @Sendable () -> Bool
  ) {
    self.folder = folder
    self.descriptor = descriptor
    self.owner = folder.ownerToGive
    self.notice = notice
    self.isHeld = isHeld
  }

  deinit {
    reserved.withLock { try? $0?.close() }
    try? descriptor.close()
  }

  /// Makes an empty results/: earlier results are moved aside (see ``EarlierResults``), an empty folder is used
  /// unchanged.
  ///
  /// `isHeld` tells whether the job is still this attempt's: only then are earlier results moved aside, and only then does
  /// ``restore(_:)`` restore a missing folder.
  /// Throws ``JobFailure`` if results is no folder, is not writable, or holds only files that no worker made.
  package static func prepare(
    in folder: JobFolder, for attempt: Int = 1, whileHeld isHeld: @escaping @Sendable () -> Bool = { true }
  ) throws(JobFailure) -> ResultsFolder {
    let path = folder.path.appending(JobsDirectory.results)
    do {
      let notice = try EarlierResults(folder: folder).makeWay(for: attempt, whileHeld: isHeld)
      let made = mkdirat(folder.descriptor.rawValue, JobsDirectory.results, 0o777) == 0
      guard made || errno == EEXIST else { throw Errno(rawValue: errno) }
      let descriptor = try openFile(JobsDirectory.results, .directory, in: folder.descriptor)
      let results = ResultsFolder(folder, descriptor, notice, isHeld)
      results.own(descriptor)
      try results.reserveSpace()
      return results
    } catch let failure as JobFailure {
      throw failure
    } catch {
      throw JobFailure(
        .stage,
        "\(path) cannot be used for results: \(error); it must be a folder that the worker can write, or not exist",
        cause: error as? Errno)
    }
  }

  /// Reserves space for result.json, since steps may fill the volume.
  private func reserveSpace() throws(Errno) {
    let file = try create(ResultsFolder.reserve)
    late.store(!ResultsFolder.allocate(ResultsFolder.leastReserve, of: file), ordering: .relaxed)
    reserved.withLock { reserved in
      try? reserved?.close()
      reserved = file
    }
  }

  /// Reserves the space that result.json is likely to need; without it a shorter form is written.
  package func reserve(_ bytes: Int) {
    guard bytes > ResultsFolder.leastReserve else { return }
    reserved.withLock { reserved in
      if let reserved { _ = ResultsFolder.allocate(min(bytes, JobResult.largestFile), of: reserved) }
    }
  }

  /// Allocates the first bytes of the empty file, as far as there is room. Where the file system only does so for what
  /// is written, it must be on its way before the output of steps is: `false`.
  private static func allocate(_ bytes: Int, of file: FileDescriptor) -> Bool {
    guard FileSystemKind(of: file).fillsLate || linux_allocate(file.rawValue, Int64(bytes)) != 0 else { return true }
    try? file.store([UInt8](repeating: 0, count: bytes), at: 0)
    _ = linux_start_writeback(file.rawValue)
    return false
  }

  /// The reserved file; a new one if it was removed or replaced, or has another link.
  private func takeReserve() throws(Errno) -> FileDescriptor {
    if let file = reserved.withLock({ $0.take() }) {
      let links = try? status(of: file).st_nlink
      if links == 1, DurableFile.isNamed(file, ResultsFolder.reserve, in: descriptor) { return file }
      try? file.close()
    }
    return try create(ResultsFolder.reserve)
  }

  /// Creates a step's log file for reading and writing. An entry of its name is removed first.
  package func createLog(of index: Int) throws(JobFailure) -> FileDescriptor {
    do {
      return try create(JobsDirectory.logName(index))
    } catch {
      throw JobFailure(.run, "\(path)/\(JobsDirectory.logName(index)) cannot be made: \(error)", cause: error)
    }
  }

  /// Restores what a step removed: logs, the folder itself and the right to write to it. Returns a note for the result;
  /// `nil` if nothing was missing. `logs` has the open files by step index; one that cannot be put back, on a full volume
  /// for example, is noted, too. Throws if there is no folder for the result.
  package func restore(_ logs: [Int: FileDescriptor] = [:]) throws(JobFailure) -> SkippedPath? {
    var isRestored = false
    do throws(Errno) {
      if hasLostItsPlace {
        try remake()
        isRestored = true
      }
      giveOwnerRights(to: descriptor)
      for (index, log) in logs where try putBack(log, JobsDirectory.logName(index)) { isRestored = true }
      guard isRestored else { return nil }
      return SkippedPath(
        path: WorkspacePath(JobsDirectory.results), reason: "logs were removed while the job ran, and are restored")
    } catch {
      guard !hasLostItsPlace else {
        throw JobFailure(.run, "\(path) was removed while the job ran, and cannot be made again: \(error)")
      }
      return SkippedPath(
        path: WorkspacePath(JobsDirectory.results), reason: "logs that are missing cannot be restored: \(error)")
    }
  }

  /// Copies an open file to its name if a step removed or replaced it there. The copy appears by rename. Returns
  /// whether it was needed.
  private func putBack(_ file: FileDescriptor, _ name: String) throws(Errno) -> Bool {
    let own = try status(of: file)
    if DurableFile.isNamed(file, name, in: descriptor) { return false }
    let temporary = ".\(name).\(DurableFile.nonce)"
    let copy = try create(temporary)
    defer { try? copy.close() }
    // Its owner may have changed since its creation; not every user can set it again.
    _ = fchown(copy.rawValue, own.st_uid, own.st_gid)
    _ = fchmod(copy.rawValue, own.st_mode & 0o7777)
    do throws(Errno) {
      try fill(copy, from: file)
      try rename(temporary, to: name, in: descriptor)
    } catch {
      unlinkat(descriptor.rawValue, temporary, 0)
      throw error
    }
    return true
  }

  private func fill(_ copy: FileDescriptor, from file: FileDescriptor) throws(Errno) {
    var block = [UInt8](repeating: 0, count: 256 << 10)
    var offset: Int64 = 0
    while true {
      let count = pread(file.rawValue, &block, block.count, off_t(offset))
      guard count >= 0 else { throw Errno(rawValue: errno) }
      guard count > 0 else { return }
      try copy.store(block[..<count])
      offset += Int64(count)
    }
  }

  /// Whether the folder was removed, moved or replaced. A later attempt also moves it aside: that is no loss. If the
  /// volume does not answer, it is in place.
  private var hasLostItsPlace: Bool {
    do throws(Errno) {
      let named = try status(of: JobsDirectory.results, in: folder.descriptor)
      return try !status(of: descriptor).isSameFile(as: named) && isHeld()
    } catch {
      return error.saysGone && isHeld()
    }
  }

  private func remake() throws(Errno) {
    let (job, name) = (folder.descriptor.rawValue, JobsDirectory.results)
    mkdirat(job, name, 0o777)
    let made: FileDescriptor
    do throws(Errno) {
      made = try openFile(name, .directory, in: folder.descriptor)
    } catch {
      // Another entry than a folder has the name.
      guard unlinkat(job, name, 0) == 0, mkdirat(job, name, 0o777) == 0 else { throw Errno(rawValue: errno) }
      made = try openFile(name, .directory, in: folder.descriptor)
    }
    defer { try? made.close() }
    // Keep the descriptor's number: its holders continue in the new folder.
    guard dup2(made.rawValue, descriptor.rawValue) >= 0 else { throw Errno(rawValue: errno) }
    _ = fcntl(descriptor.rawValue, F_SETFD, FD_CLOEXEC)
    own(descriptor)
    try reserveSpace()
  }

  /// The path, for a step's environment.
  package var path: FilePath { folder.path.appending(JobsDirectory.results) }

  /// Copies what changed in the workspace into results/, durably.
  package func export(
    _ changes: Changes, from workspace: FileDescriptor, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws -> Export {
    try FileTree.export(
      changes, from: workspace, to: descriptor, storedAs: Self.storedName, owner: owner, progress: progress,
      isCanceled: isCanceled)
  }

  /// The path for an artifact whose own name at the top of results/ is reserved for the worker.
  private static func storedName(_ path: RelativePath) -> RelativePath? {
    let top = String(decoding: path.bytes.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
    let isLog = top.hasPrefix("step_") && top.hasSuffix(".log") && top.dropFirst(5).dropLast(4).allSatisfy(\.isNumber)
    let isOwn = isLog || [JobsDirectory.result, reserve, artifacts].contains(top)
    return isOwn ? RelativePath(bytes: Array("\(artifacts)/".utf8) + path.bytes) : nil
  }

  /// The folder of artifacts whose own names are reserved.
  private static let artifacts = "_artifacts"

  /// A note about an entry that steps made under the name of result.json, which is about to be replaced.
  package var foreignResult: SkippedPath? {
    guard (try? status(of: JobsDirectory.result, in: descriptor)) != nil else { return nil }
    return SkippedPath(
      path: WorkspacePath("\(JobsDirectory.results)/\(JobsDirectory.result)"),
      reason: "it was put there while the job ran, and is replaced")
  }

  /// Writes result.json durably, by rename: readers see all of it or none.
  ///
  /// On a full volume it writes a shorter form that says so: a job's result must not wait until somebody frees space.
  package func write(_ result: JobResult) throws(VolumeError) {
    let path = folder.path.appending(JobsDirectory.results).appending(JobsDirectory.result)
    try onVolume("writing", path) { () throws(Errno) in
      let file = try takeReserve()
      defer { try? file.close() }
      var form = JobResult.Form.whole
      while true {
        do throws(Errno) {
          try write(result.inForm(form), to: file)
          break
        } catch {
          guard [.noSpace, .diskQuotaExceeded, .fileTooLarge].contains(error), let shorter = form.shorter else {
            throw error
          }
          form = shorter
        }
      }
      try rename(ResultsFolder.reserve, to: JobsDirectory.result, in: descriptor)
      try DurableFile.sync(descriptor)
    }
  }

  private func write(_ result: JobResult, to file: FileDescriptor) throws(Errno) {
    let bytes: [UInt8]
    do { bytes = try result.encoded() } catch { throw .invalidArgument }
    guard bytes.count <= JobResult.largestFile else { throw .fileTooLarge }
    guard lseek(file.rawValue, 0, SEEK_SET) == 0 else { throw Errno(rawValue: errno) }
    try file.store(bytes)
    guard ftruncate(file.rawValue, off_t(bytes.count)) == 0 else { throw Errno(rawValue: errno) }
    try DurableFile.sync(file)
  }

  /// Creates `name` for reading and writing; an entry of that name is removed.
  private func create(_ name: String) throws(Errno) -> FileDescriptor {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    var file = openat(descriptor.rawValue, name, flags, 0o666)
    if file < 0, errno == EEXIST {
      try removeTree(name, in: descriptor)
      file = openat(descriptor.rawValue, name, flags, 0o666)
    }
    guard file >= 0 else { throw Errno(rawValue: errno) }
    own(FileDescriptor(rawValue: file))
    return FileDescriptor(rawValue: file)
  }

  /// Gives a file that root creates to the owner of the job folder, who could not remove it otherwise.
  private func own(_ file: FileDescriptor) {
    guard let owner else { return }
    _ = fchown(file.rawValue, owner.user, owner.group)
  }
}
