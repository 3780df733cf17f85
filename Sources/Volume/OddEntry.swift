private import CLinux
internal import Glibc
import Jobs
private import Logging
private import Synchronization
import SystemPackage

/// What lies where workers keep their files, and is none of theirs.
extension DurableFile {
  /// What is done with it by those who come upon it.
  package enum OddEntries {
    /// A worker puts it out of the way, so that it stops nobody.
    case setAside
    /// A command that only looks takes it for nothing.
    case passOver
  }

  /// Puts what no worker made out of everybody's way: under a hidden name where it lies, and from there into `odd` beside the
  /// folders that workers share, where that can be had. The log tells where. `false` if it cannot be moved, or is as `isSound`
  /// wants it after all: that a volume calls a file invalid for once makes it no stranger's.
  ///
  /// It is never removed.
  @discardableResult
  static func setAside(_ path: VolumePath, unless isSound: (stat) -> Bool = isSound) -> Bool {
    guard let status = try? path.status(), !isSound(status) else { return false }
    let nonce = String(UInt64.random(in: 0 ... .max), radix: 36)
    var place = path.folder.appending(".\(nonce).odd")
    guard rename(path, to: place) else { return false }
    // Another may have put it out of the way since, and made what belongs there.
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

  /// Gives a file of the same folder its name back, unless that has been taken meanwhile: then its owner finds that it has lost it.
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

  /// Tells once of an entry that cannot be moved: what needs its name waits, and everything else goes on.
  static func tellStuck(_ path: VolumePath) {
    guard exists(path) else { return }
    let isNew = stuck.withLock { $0.count < 1000 && $0.insert(path).inserted }
    guard isNew else { return }
    Logger(label: "volume").error(
      "'\(path)' is nothing that a worker made, and cannot be moved; jobs that need the name wait until somebody moves it"
    )
  }

  private static let stuck = Mutex<Set<VolumePath>>([])

  private static func rename(_ path: VolumePath, to other: VolumePath) -> Bool {
    let result = try? path.inFolder { (from, name) throws(Errno) in
      try other.inFolder { (to, newName) in renameat(from.rawValue, name, to.rawValue, newName) }
    }
    return result == 0
  }

  /// Whether it is a regular file that is not too large to be read, and that its owner may use.
  static func isSound(_ path: VolumePath) -> Bool { (try? path.status()).map(isSound) ?? false }

  static func isSound(_ status: stat) -> Bool { isFile(status) && status.st_size <= largest }

  /// The same, of any size.
  static func isFile(_ status: stat) -> Bool {
    status.st_mode & S_IFMT == S_IFREG && status.st_mode & 0o600 == 0o600
  }

  private static func isFolder(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

  /// Whether something lies there that a worker may have made; anything else is set aside. Throws when the volume does not say.
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

  /// Removes a file, and sets aside what is none.
  package static func discard(_ path: VolumePath) throws(VolumeError) {
    do throws(VolumeError) {
      try remove(path)
    } catch {
      guard error.isOfOddEntry else { throw error }
      setAside(path)
    }
  }

  /// Has a folder that workers share lie at `path`, whatever lies there. Its owner gets the rights to it back that somebody took.
  ///
  /// Throws ``VolumeError`` with `ENOTDIR` when what lies there cannot be moved; the topmost one never is.
  static func ensureFolder(_ path: VolumePath) throws(VolumeError) {
    guard let status = try? path.status() else { return }
    guard isFolder(status) else {
      guard !path.folder.isRoot, setAside(path, unless: isFolder) else {
        throw VolumeError("using as a folder", path, .notDirectory)
      }
      return try makeFolder(path)
    }
    guard status.st_mode & S_IRWXU != S_IRWXU, status.st_uid == geteuid() else { return }
    try onVolume("giving its owner the rights to", path) { () throws(Errno) in
      let folder = try path.open(linuxPathOnly | O_DIRECTORY)
      defer { try? folder.close() }
      // A descriptor of what may not be read is no good for fchmod(2).
      guard chmod("/proc/self/fd/\(folder.rawValue)", status.st_mode & 0o7777 | S_IRWXU) == 0 else {
        throw Errno(rawValue: Glibc.errno)
      }
    }
  }
}
