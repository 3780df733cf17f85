import CLinuxFiles
import Glibc

/// Removes a name that is not a folder. Returns whether it is gone, or was; `false` for a folder.
func unlinkUnlessFolder(_ name: FileName, in folder: Int32) throws(CallFailure) -> Bool {
  do throws(CallFailure) {
    _ = try retrying(.unlink) { unlinkat(folder, name, 0) }
    return true
  } catch {
    switch error.code {
    case ENOENT: return true
    case EISDIR: return false
    case EACCES:
      // The folder may not be written to. If it is ours, that can be changed.
      guard fchmod(folder, 0o700) == 0 else { throw error }
      _ = try retrying(.unlink) { unlinkat(folder, name, 0) }
      return true
    default: throw error
    }
  }
}

/// Opens a folder that is to be emptied, with the right to do so.
func openForRemoval(_ name: FileName, in parent: Int32) throws(CallFailure) -> Int32 {
  do throws(CallFailure) {
    return try openFolder(in: parent, name)
  } catch {
    guard error.code == EACCES else { throw error }
    // fchmodat(2) would follow a symlink put in its place; /proc leads to the very folder that was opened.
    let place = try retrying(.open) { openat(parent, name, linuxPathOnly | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC, 0) }
    defer { close(place) }
    guard chmod("/proc/self/fd/\(place)", 0o700) == 0 else { throw error }
    return try openFolder(in: parent, name)
  }
}
