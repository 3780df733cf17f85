import CLinuxFiles
import Crypto
import Glibc

/// Copies one file or symlink into a folder where nobody sees it before it is complete: under a temporary name, then
/// by rename.
struct FileExport {
  /// When the content has to be on the disk.
  enum Durability {
    /// Before the rename.
    case eachFile
    /// Later, all at once.
    case together
  }

  /// What was written.
  struct Written {
    let size: Int64
    let mode: UInt32
    /// `nil` when there is too much of nothing to hash.
    let digest: SHA256Digest?
  }

  /// Holes of so many bytes are not hashed: that would take seconds for each 10 GiB, and hours for what costs a step one call.
  static let mostHashedHoles: Int64 = 16 << 30

  let source: Int32
  let destination: Int32
  let owner: Owner?
  let durability: Durability
  let buffer: UnsafeMutableRawBufferPointer
  /// Is called for each piece, also one of a hole; what it throws ends the export.
  let moved: (Int64) throws(CallFailure) -> Void

  /// Exports a regular file. `nil` when it changed twice while it was copied.
  func exportFile(_ name: [CChar], as newName: [CChar]) throws(CallFailure) -> Written? {
    let file = try openFile(in: source, name)
    defer { close(file) }
    var before = try status(of: file)
    guard before.kind == .file else { return nil }
    return try withTemporaryName(newName) { (temporary) throws(CallFailure) in
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
      let mode = after.st_mode & FileCopy.permissions
      _ = try retrying(.setMode) { fchmod(copy, mode) }
      try setTimes(of: copy, from: after)
      owner?.own(copy)
      if durability == .eachFile { try sync(copy) }
      return Written(size: Int64(after.st_size), mode: UInt32(mode), digest: digest)
    }
  }

  /// Exports a symlink whose target was read and judged before.
  func exportSymlink(_ target: [UInt8], as newName: [CChar]) throws(CallFailure) -> Written {
    let text = target.map { CChar(bitPattern: $0) } + [0]
    let written = try withTemporaryName(newName) { (temporary) throws(CallFailure) -> Written? in
      _ = try retrying(.create) { symlinkat(text, destination, temporary) }
      if let owner { fchownat(destination, temporary, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) }
      return Written(size: Int64(target.count), mode: 0o777, digest: SHA256.hash(data: target))
    }
    guard let written else { throw CallFailure(call: .create, code: ECANCELED) }
    return written
  }

  /// Renames what `body` makes to its name, or leaves nothing of it.
  private func withTemporaryName(
    _ name: [CChar], _ body: (FileName) throws(CallFailure) -> Written?
  ) throws(CallFailure) -> Written? {
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    let temporary = ".\(random).partial".utf8CString.map { $0 }
    do throws(CallFailure) {
      if let written = try body(temporary) {
        _ = try retrying(.rename) { renameat(destination, temporary, destination, name) }
        return written
      }
    } catch {
      unlinkat(destination, temporary, 0)
      throw error
    }
    unlinkat(destination, temporary, 0)
    return nil
  }

  /// Copies holes as holes: their zeros are in the digest, but are not written.
  private func copyContent(of file: Int32, _ status: stat, to copy: Int32) throws(CallFailure) -> SHA256Digest? {
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

  private func hashZeros(_ count: Int64, into hasher: inout SHA256?) throws(CallFailure) {
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
