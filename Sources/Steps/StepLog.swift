import Glibc
import Synchronization
package import SystemPackage

/// The growing file of one step: its output, byte for byte but for secrets, within a limit.
///
/// It can be read, and followed with `tail -f`, while it grows. Over the limit the first half and the last half are kept
/// around one line that says how many bytes were dropped; that and the last half are in the file when the step has ended.
/// A volume that takes no bytes never holds up the step: what is lost is counted.
package final class StepLog: Sendable {
  /// The open file, for reading and writing; open as long as this object lives.
  package let descriptor: FileDescriptor
  private let content: Mutex<Content>

  private struct Content {
    var file: LogFile
    var redactor: StreamRedactor?
  }

  /// The log in `file`, which is empty and open for reading and writing, and closed with this. `limit` is in bytes of what is
  /// left when secrets are masked; half of it may have to lie in the folder `temporary` while the step runs.
  package init(_ file: FileDescriptor, limit: Int64, temporary: FilePath, redacting redaction: Redaction = .none) {
    descriptor = file
    content = Mutex(
      Content(
        file: LogFile(descriptor.rawValue, limit: limit, temporary: temporary),
        redactor: redaction.trie.map { StreamRedactor($0) }))
  }

  deinit { close(descriptor.rawValue) }

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
  package var length: Int64 { content.withLock { $0.file.length } }

  /// Bytes of output that are not in it.
  package var dropped: Int64 { content.withLock { $0.file.dropped } }

  /// How many bytes the step has written so far, those that are dropped from the file again counted in.
  package var written: Int64 { content.withLock { $0.file.taken } }

  /// At most `count` bytes of what the step wrote, from `offset` on, or from the first after it that the file still holds.
  package func read(from offset: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    content.withLock { $0.file.read(from: offset, atMost: count) }
  }

  /// Why bytes are missing other than for the limit, as a sentence.
  package var error: String? {
    content.withLock { content in
      let file = content.file
      if let length = file.cutTo { return "it was cut to \(length) bytes while the step ran" }
      return file.firstError.map { error in
        guard file.lost > 0 else { return "the volume reported \(error); the log may not be whole" }
        return "\(file.lost) bytes of output could not be written: \(error)"
      }
    }
  }

  /// The last `count` bytes, fewer if there are not so many or they cannot be read.
  package func tail(_ count: Int) -> [UInt8] {
    let length = length
    let size = Int(min(Int64(count), length))
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      filled = max(0, pread(descriptor.rawValue, buffer.baseAddress, size, off_t(length) - size))
    }
  }
}
