package import FileTree
private import Glibc
package import Jobs
private import Synchronization
package import SystemPackage

/// A job's results/ on the volume, worked in through its descriptor: when a later attempt moves the folder aside, what
/// this one still writes goes with it.
package final class ResultsFolder: Sendable {
  package let descriptor: FileDescriptor
  private let folder: JobFolder
  private let owner: Owner?
  private let isHeld: @Sendable () -> Bool
  /// The file that becomes result.json, open: a step could put another under its name, a link to a stranger's for one.
  private let reserved = Mutex<FileDescriptor?>(nil)
  private static let reserve = EarlierResults.reserve
  /// Room for the result of a job of a few steps and some hundred artifacts, and for any that leaves out its lists.
  private static let leastReserve = 64 << 10
  /// What is to be told of earlier results that could not be moved aside as they should.
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

  /// An empty results/: what an earlier run left is moved aside (see ``EarlierResults``), an empty folder is used as it is.
  ///
  /// `isHeld` tells whether the job is still this attempt's: only then does ``restore(_:)`` put a folder back that is
  /// not in its place. Throws ``JobFailure`` when results is no folder, cannot be written, or holds what no worker made.
  package static func prepare(
    in folder: JobFolder, for attempt: Int = 1, whileHeld isHeld: @escaping @Sendable () -> Bool = { true }
  ) throws(JobFailure) -> ResultsFolder {
    let path = folder.path.appending(JobsDirectory.results)
    do {
      let notice = try EarlierResults(folder: folder).makeWay(for: attempt)
      let made = mkdirat(folder.descriptor.rawValue, JobsDirectory.results, 0o777) == 0
      guard made || errno == EEXIST else { throw Errno(rawValue: errno) }
      let file = openat(
        folder.descriptor.rawValue, JobsDirectory.results, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard file >= 0 else { throw Errno(rawValue: errno) }
      let descriptor = FileDescriptor(rawValue: file)
      let results = ResultsFolder(folder, descriptor, notice, isHeld)
      results.own(descriptor)
      try results.reserveSpace()
      return results
    } catch let failure as JobFailure {
      throw failure
    } catch {
      throw JobFailure(
        .stage,
        "\(path) cannot be used for results: \(error); it must be a folder that the worker can write, or not exist")
    }
  }

  /// Room for result.json on a volume that steps may fill up.
  private func reserveSpace() throws(Errno) {
    let file = try create(ResultsFolder.reserve)
    // A file system that cannot reserve makes do without.
    _ = posix_fallocate(file.rawValue, 0, off_t(ResultsFolder.leastReserve))
    reserved.withLock { reserved in
      try? reserved?.close()
      reserved = file
    }
  }

  /// Makes sure of as much room for result.json as it is likely to take; without it, it is written shorter.
  package func reserve(_ bytes: Int) {
    guard bytes > ResultsFolder.leastReserve else { return }
    reserved.withLock { reserved in
      if let reserved { _ = posix_fallocate(reserved.rawValue, 0, off_t(min(bytes, JobResult.largestFile))) }
    }
  }

  /// The reserved file under its name; made anew if it was removed, or is nothing that only this worker can reach.
  private func takeReserve() throws(Errno) -> FileDescriptor {
    if let file = reserved.withLock({ $0.take() }) {
      if isFile(file, at: ResultsFolder.reserve) { return file }
      try? file.close()
    }
    return try create(ResultsFolder.reserve)
  }

  private func isFile(_ file: FileDescriptor, at name: String) -> Bool {
    var own = stat()
    return fstat(file.rawValue, &own) == 0 && own.st_nlink == 1 && isSame(own, name, in: descriptor)
  }

  private func isSame(_ own: stat, _ name: String, in folder: FileDescriptor) -> Bool {
    var named = stat()
    return fstatat(folder.rawValue, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == own.st_ino
      && named.st_dev == own.st_dev
  }

  /// Creates the file of a step's log, for reading and writing. Whatever bears its name is removed first.
  package func createLog(of index: Int) throws(JobFailure) -> FileDescriptor {
    do {
      return try create(JobsDirectory.logName(index))
    } catch {
      throw JobFailure(.run, "\(folder.path)/results/\(JobsDirectory.logName(index)) cannot be made: \(error)")
    }
  }

  /// Puts back what a step took away: logs, the folder itself and the right to write to it. What is to be told of that; `nil`
  /// if nothing was missing. `logs` are the open files by the places of their steps.
  package func restore(_ logs: [Int: FileDescriptor] = [:]) throws(JobFailure) -> SkippedPath? {
    do throws(Errno) {
      var isRestored = false
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
      throw JobFailure(.run, "\(path) was removed while the job ran, and cannot be made again: \(error)")
    }
  }

  /// Copies a file under its name if that is not its own any more: a step removed it, or put something else in its place. The
  /// copy appears by rename. Whether there was need.
  private func putBack(_ file: FileDescriptor, _ name: String) throws(Errno) -> Bool {
    let own = try status(of: file)
    if isSame(own, name, in: descriptor) { return false }
    let temporary = ".\(name).restored"
    let copy = try create(temporary)
    defer { try? copy.close() }
    // Its owner may have been changed since it was made; not everybody can do that again.
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

  /// Removed, moved away, or replaced by something else. A later attempt moves it aside, too: that is no loss.
  /// Where the volume does not say, it is where it was.
  private var hasLostItsPlace: Bool {
    var (own, named) = (stat(), stat())
    guard fstat(descriptor.rawValue, &own) == 0 else { return Errno(rawValue: errno).saysGone && isHeld() }
    guard fstatat(folder.descriptor.rawValue, JobsDirectory.results, &named, AT_SYMLINK_NOFOLLOW) == 0 else {
      return Errno(rawValue: errno).saysGone && isHeld()
    }
    return (named.st_ino != own.st_ino || named.st_dev != own.st_dev) && isHeld()
  }

  private func remake() throws(Errno) {
    let job = folder.descriptor.rawValue
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    var file = mkdirat(job, JobsDirectory.results, 0o777) == 0 ? openat(job, JobsDirectory.results, flags) : -1
    if file < 0 {
      // Something stands in its place: a folder is used, anything else gives way.
      file = openat(job, JobsDirectory.results, flags)
      if file < 0, unlinkat(job, JobsDirectory.results, 0) == 0, mkdirat(job, JobsDirectory.results, 0o777) == 0 {
        file = openat(job, JobsDirectory.results, flags)
      }
    }
    guard file >= 0 else { throw Errno(rawValue: errno) }
    // The number stays: whoever holds it goes on in the new folder.
    guard dup2(file, descriptor.rawValue) >= 0 else { throw Errno(rawValue: errno) }
    _ = fcntl(descriptor.rawValue, F_SETFD, FD_CLOEXEC)
    close(file)
    own(descriptor)
    try reserveSpace()
  }

  /// Where it lies, for a step's environment.
  package var path: FilePath { folder.path.appending(JobsDirectory.results) }

  /// Copies what changed in the workspace into results/, durably.
  package func export(
    _ changes: Changes, from workspace: FileDescriptor, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) async throws -> Export {
    try await onThread {
      try FileTree.export(
        changes, from: workspace, to: self.descriptor, storedAs: ResultsFolder.storedName, owner: self.owner,
        progress: progress, isCanceled: isCanceled)
    }
  }

  /// Where an artifact goes whose own name at the top of results/ is the worker's.
  private static func storedName(_ path: RelativePath) -> RelativePath? {
    guard let top = path.text?.split(separator: "/", maxSplits: 1).first.map(String.init) else { return nil }
    let isLog = top.hasPrefix("step_") && top.hasSuffix(".log") && top.dropFirst(5).dropLast(4).allSatisfy(\.isNumber)
    guard top == JobsDirectory.result || isLog || top == "_artifacts" else { return nil }
    return RelativePath("_artifacts/\(path)")
  }

  /// What is to be told of something that steps have put in the place of result.json, which is about to be replaced.
  package var foreignResult: SkippedPath? {
    var status = stat()
    guard fstatat(descriptor.rawValue, JobsDirectory.result, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return SkippedPath(
      path: WorkspacePath("\(JobsDirectory.results)/\(JobsDirectory.result)"),
      reason: "it was put there while the job ran, and is replaced")
  }

  /// Puts result.json in place by rename, durably: it is there whole or not at all.
  ///
  /// Where there is no room for all of it, it leaves out its lists, and says so: a job must not wait for its result until
  /// somebody clears the volume.
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

  /// Creates `name` for reading and writing; whatever bears the name is removed.
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

  /// What root writes belongs to the owner of the job folder, who could not remove it otherwise.
  private func own(_ file: FileDescriptor) {
    guard let owner else { return }
    _ = fchown(file.rawValue, owner.user, owner.group)
  }
}
