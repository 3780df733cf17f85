import FileTree
private import Glibc
import Jobs
import SystemPackage
package import Volume

/// The lock of a workspace: a flock(2) that the kernel releases when its holder dies. The worker marks the lock file
/// before it makes the first workspace. A folder beside an unmarked lock file does not belong to a worker.
package final class WorkspaceLock: Sendable {
  enum Creation {
    case create, existing
  }

  private static let mark = Array("made\n".utf8)
  private static let leftMark = Array("left\n".utf8)

  private let path: VolumePath
  private let file: FileDescriptor

  private init(_ path: VolumePath, _ file: FileDescriptor) {
    self.path = path
    self.file = file
  }

  deinit {
    try? file.close()
  }

  /// Whether a worker made the folder beside this lock file. Throws if that is not known; then the folder is not
  /// removed.
  var isMarked: Bool {
    get throws(VolumeError) { try size > 0 }
  }

  /// Whether an earlier attempt to remove the workspace failed.
  var isLeft: Bool {
    get throws(VolumeError) { try size > WorkspaceLock.mark.count }
  }

  private var size: Int { get throws(VolumeError) { try Int(fileStatus.st_size) } }

  /// The inode number of the lock file.
  var number: UInt64 { get throws(VolumeError) { try UInt64(fileStatus.st_ino) } }

  private var fileStatus: stat {
    get throws(VolumeError) {
      do throws(Errno) {
        return try status(of: file)
      } catch {
        throw VolumeError("looking at", path, error)
      }
    }
  }

  /// When a worker last made the workspace or failed to remove it, in seconds since 1970. 0 if unknown.
  var lastUse: Int {
    (try? status(of: file))?.st_mtim.tv_sec ?? 0
  }

  package func mark() throws(VolumeError) {
    do {
      try file.writeAll(toAbsoluteOffset: 0, WorkspaceLock.mark)
      guard ftruncate(file.rawValue, off_t(WorkspaceLock.mark.count)) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      throw VolumeError("marking the lock of a workspace in", path, Errno(error))
    }
  }

  /// Notes that the workspace cannot be removed, so that no job waits for its removal again. On a full disk the note is
  /// missing.
  func noteLeft() {
    _ = try? file.writeAll(toAbsoluteOffset: Int64(WorkspaceLock.mark.count), WorkspaceLock.leftMark)
  }

  /// Throws if the file system of `folder` has no locks.
  static func check(_ folder: VolumePath) throws(VolumeError) {
    try onVolume("locking", folder) { () throws(Errno) in
      let file = try folder.open(O_RDONLY | O_DIRECTORY)
      defer { try? file.close() }
      _ = try file.lock(LOCK_SH)
    }
  }

  /// Acquires the lock. `nil` when a living process holds it, or when the file is missing and `creation` is `existing`.
  static func acquire(_ path: VolumePath, _ creation: Creation) throws(VolumeError) -> WorkspaceLock? {
    let file: FileDescriptor
    do throws(Errno) {
      file = try path.openFile(creation == .create ? O_RDWR | O_CREAT : O_RDWR, mode: 0o600)
    } catch {
      guard creation == .existing, error == .noSuchFileOrDirectory else { throw VolumeError("opening", path, error) }
      return nil
    }
    let lock = WorkspaceLock(path, file)
    guard try onVolume("locking", path, { () throws(Errno) in try file.lock(LOCK_EX) }) else { return nil }
    // The previous holder may have removed the file between open(2) and flock(2).
    guard let mine = try? status(of: file), let current = try? path.status(), mine.st_ino == current.st_ino else {
      return nil
    }
    return lock
  }
}
