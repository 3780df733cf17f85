package import Glibc
package import Jobs
import SystemPackage
package import Volume

/// The identity of a file and its content: inode, size and modification time.
///
/// The fields have the types of stat(3type). Inode numbers of 2^63 and more are usual on some file systems (GlusterFS).
package struct FileStamp: Equatable, Sendable {
  private let number: ino_t
  /// Bytes of content.
  package let size: off_t
  private let seconds: time_t
  private let nanoseconds: Int

  init(_ status: stat) {
    number = status.st_ino
    size = status.st_size
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}

extension JobRecords {
  /// The stamp of the result of `id`, without reading it; `nil` if there is none.
  package func resultStamp(of id: JobID) -> FileStamp? {
    guard let results = openResults(of: id) else { return nil }
    defer { try? results.close() }
    var status = stat()
    return fstatat(results.rawValue, JobsDirectory.result, &status, AT_SYMLINK_NOFOLLOW) == 0 ? FileStamp(status) : nil
  }
}
