private import CLinux
private import Glibc
import Jobs
import SystemPackage

/// A file by what it is, not by its name: where it lies, which file of its file system it is, and what it says.
///
/// Names on the volume are used again. Who was stopped between a look at a name and what it does to it (SIGSTOP, a slow server)
/// finds another's file there, so it removes none that is not the one it knows. An inode number is used again, too, as soon as
/// nobody holds the file open: the content is compared as well.
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

    /// Of what bears the name now; `nil` if nothing does.
    init?(at path: VolumePath) throws(VolumeError) {
      do throws(Errno) {
        self.init(try path.status())
      } catch {
        if error.saysGone { return nil }
        throw VolumeError("looking at", path, error)
      }
    }
  }

  /// The open file `file`, which holds `bytes` and lies at `path`.
  init(_ path: VolumePath, _ file: FileDescriptor, _ bytes: [UInt8]) throws(VolumeError) {
    var status = stat()
    guard fstat(file.rawValue, &status) == 0 else {
      throw VolumeError("looking at", path, Errno(rawValue: Glibc.errno))
    }
    self.path = path
    self.bytes = bytes
    identity = Identity(status)
  }

  private init(_ path: VolumePath, _ identity: Identity, _ bytes: [UInt8]) {
    (self.path, self.identity, self.bytes) = (path, identity, bytes)
  }

  /// What lies at `path`; `nil` if nothing does.
  package static func read(_ path: VolumePath) throws(VolumeError) -> KnownFile? {
    // In this order: a file that takes the name in between has not the content that goes with the number.
    guard let identity = try Identity(at: path), let bytes = try DurableFile.read(path) else { return nil }
    return KnownFile(path, identity, bytes)
  }

  /// The same; what no worker made is nothing.
  package static func read(_ path: VolumePath, _ odd: DurableFile.OddEntries) throws(VolumeError) -> KnownFile? {
    do throws(VolumeError) {
      return try read(path)
    } catch {
      guard error.isOfOddEntry, !DurableFile.isSound(path) else { throw error }
      if odd == .setAside, !DurableFile.setAside(path) { DurableFile.tellStuck(path) }
      return nil
    }
  }

  /// Whether its name still means it, as far as the number says.
  package func isInPlace() throws(VolumeError) -> Bool {
    try Identity(at: path) == identity
  }

  /// Whether its name still means it, and it says what it said.
  func isUnchanged() throws(VolumeError) -> Bool {
    guard try isInPlace() else { return false }
    return try DurableFile.read(path) == bytes
  }

  /// Takes it away; `false` when it is gone, or its name means another file by now, which stays. Of many who do it at once,
  /// one does.
  ///
  /// It is renamed to a hidden name of this call's own first, and looked at there: nobody can take its place between that look
  /// and the unlink(2). A rename that a server carried out may be answered ENOENT when it was sent again (nfs(5)): then the
  /// file lies under the hidden name all the same.
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
    guard try Identity(at: aside) == identity, content ?? bytes == bytes else {
      DurableFile.putBack(aside, to: path)
      return false
    }
    // It has lost its name already, and if this fails it is swept away later.
    _ = try? DurableFile.remove(aside)
    return true
  }

  // MARK: What was put aside

  private static let suffix = ".aside"

  private static func newAside(of path: VolumePath) -> VolumePath {
    let nonce = String(UInt64.random(in: 0 ... .max), radix: 36)
    return path.folder.appending(".\(nonce)\(suffix)")
  }

  /// Removes what somebody died over who had put it aside. A claim that was put aside by mistake is kept by its lease.
  package static func sweep(_ folder: VolumePath, _ lease: Lease) throws(VolumeError) {
    for name in try DurableFile.hiddenNames(in: folder) where name.hasSuffix(suffix) {
      let path = folder.appending(name)
      if try lease.hasExpired(path) { try DurableFile.discard(path) }
    }
  }
}
