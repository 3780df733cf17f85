import Glibc
import Synchronization
package import SystemPackage

/// The growing log file of one step: its output, byte for byte except for secrets, within a limit.
///
/// It can be read, and followed with `tail -f`, while it grows. Over the limit, the first half and the last half are
/// kept around one line that reports the number of dropped bytes; that line and the last half are in the file when the
/// step has ended. A volume that accepts no data never blocks the step: lost bytes are counted.
package final class StepLog: Sendable {
  /// The file, open for reading and writing as long as this object lives.
  package let descriptor: FileDescriptor
  private let content: Mutex<Content>

  private struct Content {
    var file: LogFile
    var redactor: StreamRedactor?
  }

  /// Creates a log in `file`, which is empty, open for reading and writing, and closed with this object. `limit` is in
  /// bytes after masking; half of it may be stored in the folder `temporary` while the step runs.
  package init(_ file: FileDescriptor, limit: Int64, temporary: FilePath, redacting redaction: Redaction = .none) {
    descriptor = file
    content = Mutex(
      Content(
        file: LogFile(descriptor.rawValue, limit: limit, temporary: temporary),
        redactor: redaction.trie.map { StreamRedactor($0) }))
  }

  deinit { close(descriptor.rawValue) }

  /// Appends output of the step. Never fails; see `error`.
  package func append(_ bytes: UnsafeRawBufferPointer) {
    content.withLock { content in
      guard content.redactor != nil else { return content.file.append(bytes) }
      content.redactor?.pass(bytes) { content.file.append($0) }
    }
  }

  /// Starts writing back to the volume.
  func push() {
    content.withLock { $0.file.push() }
  }

  /// Puts a log that exceeded its limit in order. Nothing may be appended afterwards.
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

  /// How many bytes the step has written so far, including those dropped from the file again.
  package var written: Int64 { content.withLock { $0.file.taken } }

  /// Reads at most `count` bytes of the step's output, from `offset` on, or from the first later one that the file
  /// still holds.
  package func read(from offset: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    content.withLock { $0.file.read(from: offset, atMost: count) }
  }

  /// Why bytes are missing, apart from the limit, as a sentence.
  package var error: String? {
    content.withLock { content in
      let file = content.file
      if let length = file.cutTo { return "it was cut to \(length) bytes while the step ran" }
      return file.firstError.map { error in
        guard file.lost > 0 else { return "the volume reported \(error); the log may be incomplete" }
        return "\(file.lost) bytes of output could not be written: \(error)"
      }
    }
  }

  /// The last `count` bytes, fewer if the log is shorter or cannot be read.
  package func tail(_ count: Int) -> [UInt8] {
    let length = length
    let size = Int(min(Int64(count), length))
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      filled = max(0, pread(descriptor.rawValue, buffer.baseAddress, size, off_t(length) - size))
    }
  }
}
