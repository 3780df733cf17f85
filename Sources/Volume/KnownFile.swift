private import CLinux
private import Glibc
import Jobs
import SystemPackage

/// A file with its identity: its path, its device and inode, and its content.
///
/// Names on the volume are reused. A process that was stopped between reading a file and removing it (SIGSTOP, a slow
/// server) may find another file of the same name, and must not remove that one. Inode numbers are reused, too, as soon
/// as nobody holds the file open: so the content is compared as well.
package struct KnownFile: Sendable {
  package let path: VolumePath
  package let bytes: [UInt8]
  private let identity: Identity

  private struct Identity: Equatable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
      (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }

    /// The identity of the entry that has the name now; `nil` if there is none.
    init?(at path: VolumePath) throws(VolumeError) {
      do throws(Errno) {
        self.init(try path.status())
      } catch {
        if error.saysGone { return nil }
        throw VolumeError("looking at", path, error)
      }
    }
  }

  /// The open file `file` at `path` with the content `bytes`.
  init(_ path: VolumePath, _ file: FileDescriptor, _ bytes: [UInt8]) throws(VolumeError) {
    identity = Identity(try onVolume("looking at", path) { () throws(Errno) in try status(of: file) })
    self.path = path
    self.bytes = bytes
  }

  private init(_ path: VolumePath, _ identity: Identity, _ bytes: [UInt8]) {
    (self.path, self.identity, self.bytes) = (path, identity, bytes)
  }

  /// Reads the file at `path`; `nil` if there is none.
  package static func read(_ path: VolumePath) throws(VolumeError) -> KnownFile? {
    // Read the identity first: a file that takes the name in between has other content.
    guard let identity = try Identity(at: path), let bytes = try DurableFile.read(path) else { return nil }
    return KnownFile(path, identity, bytes)
  }

  /// The same; `nil` also for an entry that no worker made.
  package static func read(_ path: VolumePath, _ odd: DurableFile.OddEntries) throws(VolumeError) -> KnownFile? {
    do throws(VolumeError) {
      return try read(path)
    } catch {
      guard error.isOfOddEntry, !DurableFile.isSound(path) else { throw error }
      if odd == .setAside, !DurableFile.setAside(path) { DurableFile.tellStuck(path) }
      return nil
    }
  }

  /// Whether the name is still that of this file, by device and inode.
  package func isInPlace() throws(VolumeError) -> Bool {
    try Identity(at: path) == identity
  }

  /// Whether the name is still that of this file, with the same content.
  func isUnchanged() throws(VolumeError) -> Bool {
    guard try isInPlace() else { return false }
    return try DurableFile.read(path) == bytes
  }

  /// Removes the file; `false` if it is gone, or if another file has its name now, which stays. Of several processes
  /// only one succeeds.
  ///
  /// The file is first renamed to a unique hidden name and checked there: nobody can replace it between the check and
  /// unlink(2). An NFS server may answer ENOENT when it gets the rename again after carrying it out (nfs(5)): then the
  /// file has the hidden name.
  @discardableResult
  package func remove() throws(VolumeError) -> Bool {
    guard try isInPlace() else { return false }
    let aside = KnownFile.newAside(of: path)
    do throws(Errno) {
      try path.rename(to: aside.name)
    } catch {
      guard error.saysGone else { throw VolumeError("removing", path, error) }
      guard try Identity(at: aside) != nil else { return false }
    }
    let content = try? DurableFile.read(aside)
    // Only this process knows the hidden name. If it is gone, another worker has swept it away: the file is removed.
    guard let moved = try Identity(at: aside) else { return true }
    guard moved == identity, content ?? bytes == bytes else {
      DurableFile.putBack(aside, to: path)
      return false
    }
    // It has lost its name already; if this fails, ``sweep(_:_:)`` removes it later.
    _ = try? DurableFile.remove(aside)
    return true
  }

  // MARK: Hidden files

  private static let suffix = ".aside"

  private static func newAside(of path: VolumePath) -> VolumePath {
    let nonce = DurableFile.nonce
    return path.folder.appending(".\(nonce)\(suffix)")
  }

  /// Removes hidden files of processes that died before they removed them. The time of a deferred request is that of its
  /// arrival, so it does not tell when its file was renamed: this worker must have seen it for a whole lease.
  package static func sweep(_ folder: VolumePath, _ lease: Lease) throws(VolumeError) {
    for name in try DurableFile.hiddenNames(in: folder) where name.hasSuffix(suffix) {
      let path = folder.appending(name)
      if try lease.hasRested(path) { try DurableFile.discard(path) }
    }
  }
}
