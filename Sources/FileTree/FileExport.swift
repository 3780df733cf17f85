import CLinux
import Crypto
import Glibc

/// Copies one file or symlink into a folder so that no reader sees it incomplete: under a temporary name, then by
/// rename.
struct FileExport {
  /// The time at which content must be on the disk.
  enum Durability {
    /// Before the rename.
    case eachFile
    /// Later, all files at once.
    case together
  }

  /// The written file.
  struct Written {
    let size: Int64
    let mode: UInt32
    /// `nil` when the file has too many holes to hash.
    let digest: SHA256Digest?
  }

  /// A file with more bytes of holes than this is not hashed: hashing takes seconds for each 10 GiB, hours for a file
  /// that a step creates with one call.
  static let mostHashedHoles: Int64 = 16 << 30

  let source: Int32
  let destination: Int32
  let owner: Owner?
  let durability: Durability
  let attributes: Attributes
  let buffer: UnsafeMutableRawBufferPointer
  /// Called for each piece, including pieces of holes; an error that it throws ends the export.
  let moved: (Int64) throws(SystemCallError) -> Void

  /// Exports a regular file. `nil` when it changed twice while it was copied.
  func exportFile(_ name: [CChar], as newName: [CChar]) throws(SystemCallError) -> Written? {
    let file = try openFile(in: source, name)
    defer { close(file) }
    var before = try status(of: file)
    guard before.kind == .file else { return nil }
    return try withTemporaryName { (temporary) throws(SystemCallError) in
      let copy = try retrying(.create) {
        openat(destination, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      }
      defer { close(copy) }
      var digest = try copyContent(of: file, before, to: copy)
      var after = try status(of: file)
      if !after.isSameVersion(as: before) {
        before = after
        _ = try retrying(.setSize) { ftruncate(copy, 0) }
        digest = try copyContent(of: file, before, to: copy)
        after = try status(of: file)
        guard after.isSameVersion(as: before) else { return nil }
      }
      attributes.setMode(after.st_mode & FileCopy.permissions, of: copy)
      attributes.setTimes(of: copy, from: after)
      let mode = try status(of: copy).st_mode & FileCopy.permissions
      owner?.own(copy)
      if durability == .eachFile { try sync(copy) }
      try place(temporary, as: newName) { isSame(copy, newName) }
      return Written(size: Int64(after.st_size), mode: UInt32(mode), digest: digest)
    }
  }

  /// Exports a symlink whose target has already been read and checked.
  func exportSymlink(_ target: [UInt8], as newName: [CChar]) throws(SystemCallError) -> Written {
    let text = target.map { CChar(bitPattern: $0) } + [0]
    let written = try withTemporaryName { (temporary) throws(SystemCallError) -> Written? in
      _ = try retrying(.create) { symlinkat(text, destination, temporary) }
      if let owner { fchownat(destination, temporary, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) }
      try place(temporary, as: newName) { leads(newName, to: target) }
      return Written(size: Int64(target.count), mode: 0o777, digest: SHA256.hash(data: target))
    }
    guard let written else { throw SystemCallError(call: .create, code: ECANCELED) }
    return written
  }

  /// Lets `body` create a file under a temporary name and rename it; removes the file if `body` does not finish.
  private func withTemporaryName(
    _ body: (FileName) throws(SystemCallError) -> Written?
  ) throws(SystemCallError) -> Written? {
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    let temporary = ".\(random).partial".utf8CString.map { $0 }
    do throws(SystemCallError) {
      if let written = try body(temporary) { return written }
    } catch {
      unlinkat(destination, temporary, 0)
      throw error
    }
    unlinkat(destination, temporary, 0)
    return nil
  }

  /// Renames a complete file to its final name. A server that has already carried out a rename may answer ENOENT to the
  /// retransmitted request (nfs(5)): then `isPlaced` decides.
  private func place(
    _ temporary: FileName, as name: [CChar], isPlaced: () -> Bool
  ) throws(SystemCallError) {
    do throws(SystemCallError) {
      _ = try retrying(.rename) { renameat(destination, temporary, destination, name) }
    } catch {
      guard error.code == ENOENT, isPlaced() else { throw error }
    }
  }

  private func isSame(_ file: Int32, _ name: [CChar]) -> Bool {
    guard let own = try? status(of: file), let named = try? status(of: name, in: destination) else { return false }
    return own.st_ino == named.st_ino && own.st_dev == named.st_dev
  }

  private func leads(_ name: [CChar], to target: [UInt8]) -> Bool {
    var found = [UInt8](repeating: 0, count: target.count + 1)
    return readlinkat(destination, name, &found, found.count) == target.count && found.dropLast() == target[...]
  }

  /// Copies the content and keeps holes: their zeros enter the digest but are not written.
  private func copyContent(of file: Int32, _ status: stat, to copy: Int32) throws(SystemCallError) -> SHA256Digest? {
    let map = HoleMap(file, status)
    var hasher = try map.hasHoles(over: Self.mostHashedHoles) ? nil : SHA256()
    var offset: Int64 = 0
    while true {
      let data = try map.nextData(from: offset)
      if hasher != nil { try hashZeros(data &- offset, into: &hasher) }
      offset = data
      let count = try retrying(.read) { pread(file, buffer.baseAddress!, buffer.count, off_t(offset)) }
      if count == 0 { break }
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      hasher?.update(bufferPointer: bytes)
      try writeAll(bytes, to: copy, at: offset)
      offset &+= Int64(count)
      try moved(Int64(count))
    }
    if map.mayHaveHoles { _ = try retrying(.setSize) { ftruncate(copy, off_t(offset)) } }
    return hasher?.finalize()
  }

  private func hashZeros(_ count: Int64, into hasher: inout SHA256?) throws(SystemCallError) {
    guard count > 0 else { return }
    memset(buffer.baseAddress!, 0, buffer.count)
    var left = count
    while left > 0 {
      let piece = Int(min(Int64(buffer.count), left))
      hasher?.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<piece]))
      left -= Int64(piece)
      try moved(Int64(piece))
    }
  }
}

/// Decides whether a symlink leads out of its tree.
///
/// The decision uses the text of the target, since the tree will be read elsewhere. A target leads out if it is
/// absolute, or has more `..` than there are folders above the link. A `..` after a name is harmless only if the name
/// is not itself a symlink: `link/..` is the parent of the link's target.
struct SymlinkEscape {
  let tree: Int32
  let path: RelativePath

  func leadsOut(_ target: [UInt8]) -> Bool {
    if target.first == 0x2F { return true }
    var way: [ArraySlice<UInt8>] = path.folder.isEmpty ? [] : path.folder.split(separator: 0x2F)
    // The folder of the link was opened without following a symlink.
    var trusted = way.count
    for component in target.split(separator: 0x2F) {
      switch Array(component) {
      case [0x2E]: continue
      case [0x2E, 0x2E]:
        if way.isEmpty { return true }
        if way.count > trusted, mayBeSymlink(way) { return true }
        way.removeLast()
        trusted = min(trusted, way.count)
      default: way.append(component)
      }
    }
    return false
  }

  private func mayBeSymlink(_ way: [ArraySlice<UInt8>]) -> Bool {
    do throws(SystemCallError) {
      let folder = try FolderOpener(root: tree).folder(way.joined(separator: [0x2F])[...])
      return folder < 0
    } catch {
      // A name that does not exist leads nowhere.
      return error.code != ENOENT
    }
  }
}

extension Array where Element == ArraySlice<UInt8> {
  fileprivate func joined(separator: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for (index, element) in enumerated() {
      if index > 0 { result += separator }
      result += element
    }
    return result
  }
}
