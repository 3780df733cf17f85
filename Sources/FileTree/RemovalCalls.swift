import CLinux
import Glibc

/// Whether a folder may be given more rights so that something in it can be removed.
enum RightsOf {
  /// It goes as well.
  case doomed
  /// It stays, and is none of ours.
  case bystander
}

/// Does something to a name in a folder; if the folder's mode forbids it, once more with all rights for its owner.
private func withRights(
  _ rights: RightsOf, on folder: Int32, _ body: () throws(CallFailure) -> Int32
) throws(CallFailure) -> Int32 {
  do throws(CallFailure) {
    return try body()
  } catch {
    guard error.code == EACCES, rights == .doomed, fchmod(folder, 0o700) == 0 else { throw error }
    return try body()
  }
}

/// Removes a name that is not a folder. Returns whether it is gone, or was; `false` for a folder.
func unlinkUnlessFolder(_ name: FileName, in folder: Int32, _ rights: RightsOf) throws(CallFailure) -> Bool {
  do throws(CallFailure) {
    _ = try withRights(rights, on: folder) { () throws(CallFailure) in
      try retrying(.unlink) { unlinkat(folder, name, 0) }
    }
    return true
  } catch {
    switch error.code {
    case ENOENT: return true
    case EISDIR: return false
    default: throw error
    }
  }
}

/// Removes an empty folder.
func removeFolder(_ name: FileName, in folder: Int32, _ rights: RightsOf) throws(CallFailure) {
  do throws(CallFailure) {
    _ = try withRights(rights, on: folder) { () throws(CallFailure) in
      try retrying(.removeFolder) { unlinkat(folder, name, AT_REMOVEDIR) }
    }
  } catch {
    if error.code != ENOENT { throw error }
  }
}

/// Opens a folder that is to be emptied, with the right to do so.
func openForRemoval(_ name: FileName, in parent: Int32, _ rights: RightsOf) throws(CallFailure) -> Int32 {
  do throws(CallFailure) {
    return try withRights(rights, on: parent) { () throws(CallFailure) in try openFolder(in: parent, name) }
  } catch {
    guard error.code == EACCES else { throw error }
    // fchmodat(2) would follow a symlink put in its place; /proc leads to the very folder that was opened.
    let place = try MountBoundary.open(.open, name, in: parent, linuxPathOnly | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC)
    defer { close(place) }
    guard chmod("/proc/self/fd/\(place)", 0o700) == 0 else { throw error }
    return try openFolder(in: parent, name)
  }
}
