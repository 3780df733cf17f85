import FileTree
private import Glibc
import SystemPackage

/// A job's results/ on the volume, worked in through its descriptor: when a later attempt moves the folder aside, what
/// this one still writes goes with it.
final class ResultsFolder: Sendable {
  let descriptor: FileDescriptor
  private let folder: JobFolder
  private let owner: Owner?
  private static let reserve = ".result.json.reserved"

  private init(_ folder: JobFolder, _ descriptor: FileDescriptor, _ owner: Owner?) {
    self.folder = folder
    self.descriptor = descriptor
    self.owner = owner
  }

  deinit {
    try? descriptor.close()
  }

  /// An empty results/: what an earlier run left is moved to results.previous, an empty folder is used as it is.
  ///
  /// Throws ``JobFailure`` when results is no folder or cannot be written.
  static func prepare(in folder: JobFolder) throws(JobFailure) -> ResultsFolder {
    let path = folder.path.appending(JobsDirectory.results)
    do {
      try moveAside(in: folder)
      let made = mkdirat(folder.descriptor.rawValue, JobsDirectory.results, 0o755) == 0
      guard made || errno == EEXIST else { throw Errno(rawValue: errno) }
      let file = openat(
        folder.descriptor.rawValue, JobsDirectory.results, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard file >= 0 else { throw Errno(rawValue: errno) }
      let descriptor = FileDescriptor(rawValue: file)
      let results = ResultsFolder(folder, descriptor, ownerToGive(folder))
      results.own(descriptor)
      try results.reserveSpace()
      return results
    } catch {
      throw JobFailure(
        .stage, "\(path) cannot be used for results: \(error); it must be a folder that the worker can write, or not exist")
    }
  }

  private static func moveAside(in folder: JobFolder) throws {
    let job = folder.descriptor.rawValue
    // rmdir(2) takes an empty folder only: it answers in one call whether there is anything to keep.
    if unlinkat(job, JobsDirectory.results, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
    guard errno == ENOTEMPTY || errno == EEXIST else { throw Errno(rawValue: errno) }
    try FileTree.remove(JobsDirectory.previousResults, in: folder.descriptor)
    guard renameat(job, JobsDirectory.results, job, JobsDirectory.previousResults) == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  /// Room for result.json on a volume that steps may fill up.
  private func reserveSpace() throws(Errno) {
    let file = try create(ResultsFolder.reserve)
    defer { try? file.close() }
    // A file system that cannot reserve makes do without.
    _ = posix_fallocate(file.rawValue, 0, 64 << 10)
  }

  /// Creates the log of a step.
  func log(_ index: Int, limit: Int64) throws(JobFailure) -> StepLog {
    do {
      let log = try StepLog(creating: "step_\(index).log", in: descriptor, limit: limit)
      own(log.descriptor)
      return log
    } catch {
      throw JobFailure(.run, "\(folder.path)/results/step_\(index).log cannot be made: \(error)")
    }
  }

  /// The last 4 KiB of a step's log, as text.
  func tail(of step: StepResult?) -> String? {
    guard let step, let name = step.log?.split(separator: "/").last else { return nil }
    let file = openat(descriptor.rawValue, String(name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    let size = lseek(file, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = pread(file, &bytes, bytes.count, max(0, size - 4096))
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }

  /// Where it lies, for a step's environment.
  var path: FilePath { folder.path.appending(JobsDirectory.results) }

  /// Copies what changed in the workspace into results/, durably.
  func export(_ changes: Changes, from workspace: FileDescriptor) throws(FileTreeError) -> Export {
    try FileTree.export(changes, from: workspace, to: descriptor, storedAs: ResultsFolder.storedName, owner: owner)
  }

  /// Where an artifact goes whose own name at the top of results/ is the worker's.
  private static func storedName(_ path: RelativePath) -> RelativePath? {
    guard let top = path.text?.split(separator: "/", maxSplits: 1).first.map(String.init) else { return nil }
    let isLog = top.hasPrefix("step_") && top.hasSuffix(".log") && top.dropFirst(5).dropLast(4).allSatisfy(\.isNumber)
    guard top == JobsDirectory.result || isLog || top == "_artifacts" else { return nil }
    return RelativePath("_artifacts/\(path)")
  }

  /// Puts result.json in place by rename, durably: it is there whole or not at all.
  func write(_ result: JobResult) throws(VolumeError) {
    let path = folder.path.appending(JobsDirectory.results).appending(JobsDirectory.result)
    try onVolume("writing", path) { () throws(Errno) in
      let bytes: [UInt8]
      do { bytes = try result.encoded() } catch { throw Errno.invalidArgument }
      let file = try create(ResultsFolder.reserve)
      defer { try? file.close() }
      try DurableFile.write(bytes, to: file)
      guard ftruncate(file.rawValue, off_t(bytes.count)) == 0 else { throw Errno(rawValue: errno) }
      try DurableFile.sync(file)
      guard renameat(descriptor.rawValue, ResultsFolder.reserve, descriptor.rawValue, JobsDirectory.result) == 0 else {
        throw Errno(rawValue: errno)
      }
      try DurableFile.sync(descriptor)
    }
  }

  /// Opens `name` for writing without emptying it, so that reserved blocks stay.
  private func create(_ name: String) throws(Errno) -> FileDescriptor {
    let file = openat(descriptor.rawValue, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw Errno(rawValue: errno) }
    own(FileDescriptor(rawValue: file))
    return FileDescriptor(rawValue: file)
  }

  /// What root writes belongs to the owner of the job folder, who could not remove it otherwise.
  private func own(_ file: FileDescriptor) {
    guard let owner else { return }
    _ = fchown(file.rawValue, owner.user, owner.group)
  }

  private static func ownerToGive(_ folder: JobFolder) -> Owner? {
    var status = stat()
    guard geteuid() == 0, fstat(folder.descriptor.rawValue, &status) == 0, status.st_uid != 0 else { return nil }
    return Owner(user: status.st_uid, group: status.st_gid)
  }
}
