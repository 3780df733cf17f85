import Glibc
import Synchronization
public import SystemPackage

/// The growing file of one step: its output, byte for byte but for secrets, within a limit.
///
/// It can be read, and followed with `tail -f`, while it grows. Over the limit the first half and the last half are kept
/// around one line that says how many bytes were dropped; that and the last half are in the file when the step has ended.
/// A volume that takes no bytes never holds up the step: what is lost is counted.
public final class StepLog: Sendable {
  /// Its name in the directory.
  public let name: String
  /// The open file, for reading and writing; open as long as this object lives.
  public let descriptor: FileDescriptor
  private let content: Mutex<Content>

  private struct Content {
    var file: LogFile
    var redactor: StreamRedactor?
  }

  /// Creates the file `name` anew in `directory`: what bears the name, a link or a FIFO for instance, is removed first
  /// and never written through. `limit` is in bytes of what is left when secrets are masked; half of it may have to lie in
  /// the folder `temporary` while the step runs. Throws what openat(2) answers, EISDIR if a directory bears the name.
  public init(
    creating name: String, in directory: FileDescriptor, limit: Int64, temporary: FilePath,
    redacting redaction: Redaction = .none
  ) throws(Errno) {
    self.name = name
    descriptor = try Self.create(name, in: directory)
    content = Mutex(
      Content(
        file: LogFile(descriptor.rawValue, limit: limit, temporary: temporary),
        redactor: redaction.trie.map { StreamRedactor($0) }))
  }

  deinit { close(descriptor.rawValue) }

  private static func create(_ name: String, in directory: FileDescriptor) throws(Errno) -> FileDescriptor {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    var opened = openat(directory.rawValue, name, flags, 0o666)
    if opened < 0, errno == EEXIST {
      try removeTree(name, in: directory)
      opened = openat(directory.rawValue, name, flags, 0o666)
    }
    guard opened >= 0 else { throw Errno(rawValue: errno) }
    return FileDescriptor(rawValue: opened)
  }

  /// Takes output of the step. Never fails; see `error`.
  package func append(_ bytes: UnsafeRawBufferPointer) {
    content.withLock { content in
      guard content.redactor != nil else { return content.file.append(bytes) }
      content.redactor?.pass(bytes) { content.file.append($0) }
    }
  }

  /// Starts to write back toward the volume.
  func push() {
    content.withLock { $0.file.push() }
  }

  /// Puts a log that went over its limit in order. Nothing may be appended after it.
  package func finish() {
    content.withLock { content in
      content.redactor?.finish { content.file.append($0) }
      content.file.finish()
    }
  }

  /// Length of the file. Final when the step has ended.
  public var length: Int64 { content.withLock { $0.file.length } }

  /// Bytes of output that are not in it.
  public var dropped: Int64 { content.withLock { $0.file.dropped } }

  /// How many bytes the step has written so far, those that are dropped from the file again counted in.
  package var written: Int64 { content.withLock { $0.file.taken } }

  /// At most `count` bytes of what the step wrote, from `offset` on, or from the first after it that the file still holds.
  package func read(from offset: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    content.withLock { $0.file.read(from: offset, atMost: count) }
  }

  /// Why bytes are missing other than for the limit, as a sentence.
  public var error: String? {
    content.withLock { content in
      let file = content.file
      if let length = file.cutTo { return "\(name): it was cut to \(length) bytes while the step ran" }
      return file.firstError.map { error in
        guard file.lost > 0 else { return "\(name): the volume reported \(error); the log may not be whole" }
        return "\(name): \(file.lost) bytes of output could not be written: \(error)"
      }
    }
  }

  /// The last `count` bytes, fewer if there are not so many or they cannot be read.
  public func tail(_ count: Int) -> [UInt8] {
    let length = length
    let size = Int(min(Int64(count), length))
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      filled = max(0, pread(descriptor.rawValue, buffer.baseAddress, size, off_t(length) - size))
    }
  }

  /// What `reappear` found.
  public enum Presence: Sendable { case undisturbed, restored }

  /// Puts the log back into `directory` under its name if it is not there any more: the step removed it or the folder
  /// around it, or put something else in its place. Costs two stats if it is there. The copy appears by rename; throws
  /// what openat(2), copying or renameat(2) answer, and leaves no temporary name then.
  public func reappear(in directory: FileDescriptor) throws(Errno) -> Presence {
    var own = stat()
    var named = stat()
    guard fstat(descriptor.rawValue, &own) == 0 else { throw Errno(rawValue: errno) }
    if fstatat(directory.rawValue, name, &named, AT_SYMLINK_NOFOLLOW) == 0, named.st_ino == own.st_ino,
      named.st_dev == own.st_dev
    {
      return .undisturbed
    }
    let temporary = ".\(name).restored"
    let copy = try Self.create(temporary, in: directory)
    defer { close(copy.rawValue) }
    // Its owner may have been changed since it was made; not everybody can do that again.
    _ = fchown(copy.rawValue, own.st_uid, own.st_gid)
    _ = fchmod(copy.rawValue, own.st_mode & 0o7777)
    do throws(Errno) {
      try fill(copy)
      try rename(temporary, to: name, in: directory)
    } catch {
      unlinkat(directory.rawValue, temporary, 0)
      throw error
    }
    return .restored
  }

  private func fill(_ copy: FileDescriptor) throws(Errno) {
    let blockSize = 256 * 1024
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: blockSize, alignment: 16)
    defer { block.deallocate() }
    var offset: Int64 = 0
    while true {
      let count = pread(descriptor.rawValue, block.baseAddress, blockSize, off_t(offset))
      guard count >= 0 else { throw Errno(rawValue: errno) }
      guard count > 0 else { return }
      try copy.store(UnsafeRawBufferPointer(rebasing: block[..<count]), at: offset)
      offset += Int64(count)
    }
  }
}
