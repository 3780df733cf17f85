private import Glibc
import SystemPackage

/// What lies where workers keep their files, and is none of theirs.
extension DurableFile {
  /// Puts what no worker made out of everybody's way: into `odd` beside the folders that workers share. It is never removed; what
  /// cannot be moved stays, and so does a regular file of usual size: that a volume calls it invalid for once makes it no stranger's.
  static func setAside(_ path: VolumePath) {
    guard !isSound(path) else { return }
    let odd = VolumePath(path.root).appending(JobsDirectory.workerState).appending("odd")
    try? makeFolder(odd)
    try? path.inFolder { (from, name) in
      try? odd.appending("\(String(UInt64.random(in: 0 ... .max), radix: 36))-\(name)").inFolder { (to, newName) in
        _ = renameat(from.rawValue, name, to.rawValue, newName)
      }
    }
  }

  /// Whether it is a regular file that is not too large to be read.
  static func isSound(_ path: VolumePath) -> Bool {
    guard let status = try? path.status() else { return false }
    return status.st_mode & S_IFMT == S_IFREG && status.st_size <= largest
  }

  /// Removes a file, and sets aside what is none.
  static func discard(_ path: VolumePath) throws(VolumeError) {
    do throws(VolumeError) {
      try remove(path)
    } catch {
      guard error.isOfOddEntry else { throw error }
      setAside(path)
    }
  }
}
