private import CLinux
private import Glibc
package import Jobs
import SystemPackage

/// The exclusive right to remove the folder of a job at rest: no worker takes the job meanwhile.
///
/// It is a file in the place of the job's first claim. For workers it is an incomplete claim: a worker that gets a
/// request for the job waits, and removes the file if its process dies. It is held for a few system calls, and while a
/// broker is told. A process that was stopped for longer than a lease in between may have lost it to a worker that now
/// has the job: so the folder is first only hidden (``HiddenFolder/Fate/inDoubt``), and removed only if the right holds
/// after that.
package struct JobRemoval: Sendable {
  /// The job.
  package let id: JobID
  let directory: JobsDirectory
  private let mark: KnownFile

  /// The content of the file. It does not decode as a ``ClaimRecord``.
  private struct Mark: Codable {
    var removal: ProcessIdentity
  }

  /// The age at which a mark of another host's process counts as left behind. If its process still lives, the folder
  /// comes back: see ``hide()``.
  private static let patience = Duration.seconds(60)
  /// The same for an empty file, which may also be a worker's claim in the making.
  private static let longPatience = Duration.seconds(3600)

  /// Takes the right to remove `id`; `nil` if a worker or another removal has the job, or if the volume has a request
  /// for it or an undelivered result of it. `now` is the volume's time.
  package static func begin(_ id: JobID, in directory: JobsDirectory, at now: Int64) throws(VolumeError) -> JobRemoval?
  {
    try deadMark(of: id, in: directory, at: now)?.remove()
    guard try claimCount(of: id, in: directory) == 0 else { return nil }
    try DurableFile.makeFolder(directory.claims)
    let path = directory.claims.appending(JobsDirectory.claimName(id, 1))
    guard let mark = try create(path) else { return nil }
    let removal = JobRemoval(id: id, directory: directory, mark: mark)
    do {
      // A worker may have taken over an earlier claim during the first look.
      if try claimCount(of: id, in: directory) == 1, try !directory.jobsInUse().contains(id) {
        TestStopPoint.removalBegun.reached()
        return removal
      }
    } catch {
      try? removal.end()
      throw error
    }
    try removal.end()
    return nil
  }

  /// Of all that are there: a claim that no worker of this version would leave behind is one, too.
  private static func claimCount(of id: JobID, in directory: JobsDirectory) throws(VolumeError) -> Int {
    try directory.claimNames().count { $0.id == id }
  }

  /// Creates the mark exclusively. It need not survive a power failure.
  private static func create(_ path: VolumePath) throws(VolumeError) -> KnownFile? {
    var bytes = try DurableFile.line(Mark(removal: .current), for: path)
    do throws(Errno) {
      let file = try path.open(O_WRONLY | O_CREAT | O_EXCL, mode: 0o666)
      defer { try? file.close() }
      do throws(Errno) {
        try file.store(bytes)
      } catch {
        // On a full volume it stays empty: jobs are removed to free it.
        _ = ftruncate(file.rawValue, 0)
        bytes = []
      }
      do { return try KnownFile(path, file, bytes) } catch { throw error.cause }
    } catch {
      guard error == .fileExists else { throw VolumeError("creating", path, error) }
      return nil
    }
  }

  /// Removes the marks of processes that have died.
  package static func clearMarks(in directory: JobsDirectory, at now: Int64) throws(VolumeError) {
    for name in try directory.claimNames() where name.attempt == 1 {
      try deadMark(of: name.id, in: directory, at: now)?.remove()
    }
  }

  /// The mark of a process that has died; `nil` if there is none.
  fileprivate static func deadMark(
    of id: JobID, in directory: JobsDirectory, at now: Int64
  ) throws(VolumeError) -> KnownFile? {
    let path = directory.claims.appending(JobsDirectory.claimName(id, 1))
    guard let file = try KnownFile.read(path, .passOver), let status = try? path.status() else { return nil }
    let age = Duration.nanoseconds(now) - .nanoseconds(status.modified)
    if let process = decodedJSON(Mark.self, file.bytes)?.removal {
      let here = ProcessIdentity.current
      let hasEnded = process.pidNamespace == here.pidNamespace && process.hasEnded
      return hasEnded || age > patience ? file : nil
    }
    return file.bytes.isEmpty && age > longPatience ? file : nil
  }

  /// Moves the job's folder out of sight, to be removed; `nil` if it is no folder, is gone, or if the right was lost:
  /// then the folder has its name again.
  package func hide() throws(VolumeError) -> HiddenFolder? {
    let place = directory.folder(of: id)
    guard let status = try? place.status(), DurableFile.isFolder(status) else { return nil }
    let hidden = HiddenFolder(of: id, in: directory)
    do throws(Errno) {
      try place.rename(to: hidden.name)
    } catch {
      if error.saysGone { return nil }
      throw VolumeError("removing", place, error)
    }
    TestStopPoint.folderHidden.reached()
    do {
      if try isHeld { return try hidden.doomed() }
    } catch {
      // Nobody knows whose it is.
      try? hidden.putBack()
      throw error
    }
    try hidden.putBack()
    return nil
  }

  /// Whether the right still holds.
  package var isHeld: Bool { get throws(VolumeError) { try mark.isUnchanged() } }

  /// Gives the right up. Changes nothing if it was lost.
  package func end() throws(VolumeError) {
    try mark.remove()
  }
}

extension JobsDirectory {
  /// The jobs that are not at rest: with a claim, with a request on the volume, or with an undelivered result. The mark
  /// of a removal that has died does not count. `now` is the volume's time.
  package func jobsNotAtRest(at now: Int64) throws(VolumeError) -> Set<JobID> {
    var jobs = try jobsInUse()
    for name in try claimNames() where !jobs.contains(name.id) {
      if try JobRemoval.deadMark(of: name.id, in: self, at: now) == nil || name.attempt > 1 { jobs.insert(name.id) }
    }
    return jobs
  }

  /// The jobs with a request on the volume or an undelivered result.
  fileprivate func jobsInUse() throws(VolumeError) -> Set<JobID> {
    var jobs: Set<JobID> = []
    // Parked requests first: an approved one moves to the deferred ones.
    for folder in [parked, waiting] {
      for filter in try DurableFile.names(in: folder) {
        for name in try DurableFile.names(in: folder.appending(filter)) {
          if let id = JobsDirectory.job(ofRequest: name) { jobs.insert(id) }
        }
      }
    }
    for filter in try DurableFile.names(in: undelivered) {
      for name in try DurableFile.names(in: undelivered.appending(filter)) {
        if let id = UndeliveredName(name)?.id { jobs.insert(id) }
      }
    }
    return jobs
  }

  /// The job in the name of a request, or of a decision about it: see ``ApprovalStore``.
  private static func job(ofRequest name: String) -> JobID? {
    if let id = DeferredQueue.parse(name)?.id { return id }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 2, ["decided", "decision"].contains(parts.last) else { return nil }
    return DeferredQueue.parse("\(parts.dropLast(2).joined(separator: ".")).json")?.id
  }
}

extension stat {
  /// The time of the last change of the content, in nanoseconds since 1970.
  package var modified: Int64 {
    withUnsafePointer(to: st_mtim) { linux_nanoseconds($0) }
  }
}
