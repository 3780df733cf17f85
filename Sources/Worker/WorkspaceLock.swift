private import Glibc
import Jobs
import Steps
import SystemPackage
package import Volume

/// A flock(2) that the kernel drops when its holder dies, whatever killed it. The file is marked before the first workspace
/// is made beside it: a folder beside an unmarked one is nobody's.
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

  /// Whether the folder beside it was made by a worker. An error is no answer: that of an unmarked one is never removed.
  var isMarked: Bool {
    get throws(VolumeError) { try size > 0 }
  }

  /// Whether its workspace could not be removed before.
  var isLeft: Bool {
    get throws(VolumeError) { try size > WorkspaceLock.mark.count }
  }

  private var size: Int {
    get throws(VolumeError) {
      do throws(Errno) {
        return try Int(status(of: file).st_size)
      } catch {
        throw VolumeError("looking at", path, error)
      }
    }
  }

  /// When its workspace was last made, or tried to be removed.
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

  /// Notes that the workspace cannot be removed, so that nobody waits for it again. A disk that is full makes do without.
  func noteLeft() {
    _ = try? file.writeAll(toAbsoluteOffset: Int64(WorkspaceLock.mark.count), WorkspaceLock.leftMark)
  }

  /// `nil` when a living process holds it, or when it is not there and is not to be made.
  static func acquire(_ path: VolumePath, _ creation: Creation) throws(VolumeError) -> WorkspaceLock? {
    let file: FileDescriptor
    do throws(Errno) {
      file = try path.openFile(creation == .create ? O_RDWR | O_CREAT : O_RDWR, mode: 0o600)
    } catch {
      guard error == .noSuchFileOrDirectory else { throw VolumeError("opening", path, error) }
      return nil
    }
    let lock = WorkspaceLock(path, file)
    guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else { return nil }
    // Whoever held it before may have removed the file between our open and our lock.
    guard let mine = try? status(of: file), let current = try? path.status(), mine.st_ino == current.st_ino else {
      return nil
    }
    return lock
  }
}
