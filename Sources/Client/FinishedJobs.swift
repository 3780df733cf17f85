private import Glibc
package import Jobs
import SystemPackage
import Volume

/// A job that has its result.
package struct FinishedJob: Sendable {
  /// The job.
  package let id: JobID
  /// How it ended.
  package let status: JobStatus
  /// The time since its result was written, by the volume's clock; negative if that clock was set back.
  package let age: Duration
  /// Changes whenever the result is another.
  let mark: String
}

/// The finished jobs on a volume, as far as they have a folder of their own.
///
/// A link to another folder is none, and a folder to which one leads is also another job's. Everything is opened below
/// the jobs folder, without following links.
struct FinishedJobs {
  let directory: JobsDirectory
  /// The volume's time, in nanoseconds since 1970.
  let now: Int64

  /// The finished jobs with one of `statuses`, newest first. Throws ``VolumeError`` if the jobs folder cannot be read;
  /// a job that cannot be read is none of them.
  func list(_ statuses: Set<JobStatus>) throws(VolumeError) -> [FinishedJob] {
    let names = try DurableFile.names(in: directory.top).compactMap { try? JobID($0) }
    let linked = linkedFolders(names)
    return names.compactMap { id in job(id, apartFrom: linked) }.filter { statuses.contains($0.status) }
      .sorted { ($0.age, $0.id.text) < ($1.age, $1.id.text) }
  }

  /// The job `id` now; `nil` if it is not finished.
  func job(_ id: JobID) -> FinishedJob? { job(id, apartFrom: []) }

  private func job(_ id: JobID, apartFrom linked: Set<Place>) -> FinishedJob? {
    guard let named = try? directory.folder(of: id).status(), named.st_mode & S_IFMT == S_IFDIR,
      !linked.contains(Place(named)), let folder = try? JobFolder.open(id, in: directory),
      let file = try? resultStatus(folder), let result = try? folder.storedResult()
    else { return nil }
    return FinishedJob(
      id: id, status: result.status, age: .nanoseconds(now) - .nanoseconds(file.modified),
      mark: "\(file.st_ino) \(file.st_size) \(file.modified)")
  }

  private func resultStatus(_ folder: JobFolder) throws -> stat {
    let results = try openFile(JobsDirectory.results, .directory, in: folder.descriptor)
    defer { try? results.close() }
    let file = try openFile(JobsDirectory.result, in: results)
    defer { try? file.close() }
    return try status(of: file)
  }

  /// A folder by device and inode.
  private struct Place: Hashable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
      (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
  }

  /// The folders to which jobs that are links lead, and the folders above them.
  private func linkedFolders(_ ids: [JobID]) -> Set<Place> {
    var places: Set<Place> = []
    for id in ids {
      guard let named = try? directory.folder(of: id).status(), named.st_mode & S_IFMT == S_IFLNK,
        let target = try? JobFolder.open(id, in: directory)
      else { continue }
      var folder = try? openFile(".", .directory, in: target.descriptor)
      // At the root of all folders, ".." is the folder itself.
      while let open = folder, let status = try? status(of: open), places.insert(Place(status)).inserted {
        folder = try? openFile("..", .directory, in: open)
        try? open.close()
      }
      try? folder?.close()
    }
    return places
  }
}
