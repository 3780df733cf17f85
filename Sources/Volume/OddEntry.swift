private import CLinux
internal import Glibc
import Jobs
private import Logging
private import Synchronization
import SystemPackage

/// Odd entries: entries among the workers' files that no worker made.
extension DurableFile {
  /// The treatment of an odd entry.
  package enum OddEntries {
    /// Moves it away, so that it blocks no worker.
    case setAside
    /// Ignores it; for commands that only read.
    case passOver
  }

  /// Moves an odd entry away: to a hidden name in its folder, and from there into `.worker/odd` if possible. The log
  /// has the new path. `false` if it cannot be moved, or if `isSound` accepts it: the volume may have called a good
  /// file invalid for a moment.
  ///
  /// It is never removed.
  @discardableResult
  static func setAside(_ path: VolumePath, unless isSound: (stat) -> Bool = isSound) -> Bool {
    guard let status = try? path.status(), !isSound(status) else { return false }
    let nonce = self.nonce
    var place = path.folder.appending(".\(nonce).odd")
    guard rename(path, to: place) else { return false }
    // Another worker may have moved it already, and created the right file.
    if let status = try? place.status(), isSound(status) {
      putBack(place, to: path)
      return false
    }
    let odd = VolumePath(path.root).appending(JobsDirectory.workerState).appending("odd")
    if path != odd {
      try? makeFolder(odd)
      let better = odd.appending("\(nonce)-\(path.name)")
      if rename(place, to: better) { place = better }
    }
    Logger(label: "volume").warning("'\(path)' is nothing that a worker made; it was moved to '\(place)'")
    return true
  }

  /// Gives a file of the same folder its name back, unless the name has been taken meanwhile: then the file's owner has
  /// lost it.
  package static func putBack(_ aside: VolumePath, to path: VolumePath) {
    try? path.inFolder { (folder, name) in
      let top = folder.rawValue
      guard linkat(top, aside.name, top, name, 0) != 0, Glibc.errno != EEXIST else {
        unlinkat(top, aside.name, 0)
        return
      }
      // A file system without hard links.
      if linux_rename_new(top, aside.name, name) != 0, Glibc.errno == EEXIST { unlinkat(top, aside.name, 0) }
    }
  }

  /// Logs once that an entry cannot be moved: jobs that need its name wait, and all others continue.
  static func tellStuck(_ path: VolumePath) {
    tellOnce(
      path, "is nothing that a worker made, and cannot be moved; jobs that need the name wait until somebody moves it")
  }

  /// Logs once that this user may not read another worker's file.
  static func tellUnreadable(_ path: VolumePath, _ cause: Errno) {
    let owner =
      (try? path.status()).map { " of user \($0.st_uid), mode \(String($0.st_mode & 0o7777, radix: 8))" } ?? ""
    tellOnce(
      path,
      "is another worker's file\(owner), and cannot be read: \(cause); leave it there, and run all workers of a volume as one user, "
        + "or with a umask that lets all of them read")
  }

  private static func tellOnce(_ path: VolumePath, _ fault: String) {
    guard exists(path) else { return }
    let isNew = stuck.withLock { $0.count < 1000 && $0.insert(path).inserted }
    guard isNew else { return }
    Logger(label: "volume").error("'\(path)' \(fault)")
  }

  private static let stuck = Mutex<Set<VolumePath>>([])

  private static func rename(_ path: VolumePath, to other: VolumePath) -> Bool {
    let result = try? path.inFolder { (from, name) throws(Errno) in
      try other.inFolder { (to, newName) in renameat(from.rawValue, name, to.rawValue, newName) }
    }
    return result == 0
  }

  /// Whether it is a regular file within the size limit that its owner may read and write.
  static func isSound(_ path: VolumePath) -> Bool { (try? path.status()).map(isSound) ?? false }

  static func isSound(_ status: stat) -> Bool { isFile(status) && status.st_size <= largest }

  /// The same, of any size.
  static func isFile(_ status: stat) -> Bool {
    status.st_mode & S_IFMT == S_IFREG && status.st_mode & 0o600 == 0o600
  }

  static func isFolder(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

  /// Whether there is an entry that a worker may have made; any other is set aside. Throws if the volume does not
  /// answer.
  static func isWorkers(_ path: VolumePath) throws(VolumeError) -> Bool {
    do throws(Errno) {
      if try isSound(path.status()) { return true }
    } catch {
      guard error.saysGone else { throw VolumeError("looking at", path, error) }
      return false
    }
    if !setAside(path) { tellStuck(path) }
    return false
  }

  /// Removes a file; sets aside an entry that is no file.
  package static func discard(_ path: VolumePath) throws(VolumeError) {
    do throws(VolumeError) {
      try remove(path)
    } catch {
      guard error.isOfOddEntry else { throw error }
      setAside(path)
    }
  }

  /// Whether this process has all rights to its own folder; nothing is asked of others'.
  static func hasOwnersRights(_ status: stat) -> Bool {
    status.st_mode & S_IRWXU == S_IRWXU || status.st_uid != geteuid()
  }

  /// Makes `path` a folder, whatever is there, and restores its owner's rights.
  ///
  /// Throws ``VolumeError`` with `ENOTDIR` if the entry there cannot be moved; an entry at the first level is never
  /// moved.
  static func ensureFolder(_ path: VolumePath) throws(VolumeError) {
    guard let status = try? path.status() else { return }
    guard isFolder(status) else {
      guard !path.folder.isRoot, setAside(path, unless: isFolder) else {
        throw VolumeError("using as a folder", path, .notDirectory)
      }
      return try makeFolder(path)
    }
    guard !hasOwnersRights(status) else { return }
    try onVolume("giving its owner the rights to", path) { () throws(Errno) in
      let folder = try path.open(linuxPathOnly | O_DIRECTORY)
      defer { try? folder.close() }
      // fchmod(2) does not accept an O_PATH descriptor.
      guard chmod("/proc/self/fd/\(folder.rawValue)", status.st_mode & 0o7777 | S_IRWXU) == 0 else {
        throw Errno(rawValue: Glibc.errno)
      }
    }
  }
}
