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

  /// Appends a line of the worker, in brackets, on a line of its own.
  package func note(_ text: String) {
    flush()
    let isBroken = content.withLock { content in
      guard content.file.taken > 0 else { return false }
      return content.file.read(from: content.file.taken - 1, atMost: 1).bytes != [UInt8(ascii: "\n")]
    }
    var line = (isBroken ? "\n[" : "[") + text + "]\n"
    line.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    flush()
  }

  /// Appends what is held back because a secret may begin with it: the output so far is at its end.
  func flush() {
    content.withLock { content in content.redactor?.finish { content.file.append($0) } }
  }

  /// Puts a log that exceeded its limit in order. Nothing may be appended afterwards.
  package func finish() {
    flush()
    content.withLock { $0.file.finish() }
  }

  /// Waits until the volume has the finished log, or says why not; see `error`.
  package func sync() { content.withLock { $0.file.sync() } }

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
      if let length = file.cutTo, file.firstError == nil { return "it was cut to \(length) bytes while the step ran" }
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

/// A piece of a step's output.
package struct StepOutput: Sendable, Equatable {
  /// The step's index in the job, from 0.
  package let step: Int
  /// The piece's offset in all output of the step. A gap means that bytes in between were left out.
  package let offset: Int64
  /// The bytes, as written.
  package let bytes: [UInt8]

  /// Creates a piece of the output of `step`.
  package init(step: Int, offset: Int64, bytes: [UInt8]) {
    self.step = step
    self.offset = offset
    self.bytes = bytes
  }
}

/// Forwards a step's output, while the step writes it, to remote followers.
///
/// It reads the log and never blocks the step; memory stays flat. It sends at most 1 MiB a second; of a step that
/// writes more, it sends the newest output. The log itself is complete.
package struct LogRelay: Sendable {
  static let largestPiece = 64 << 10
  static let pause = Duration.milliseconds(62)
  /// The most bytes that the relay may lag behind the step; older ones are left out.
  static let longestDelay: Int64 = 1 << 20
  /// How long the end of a step waits for the rest of the output.
  static let patience = Duration.seconds(2)

  let step: Int
  let log: StepLog
  /// Returns when the piece has arrived, or is known never to arrive.
  let tell: @Sendable (StepOutput) async -> Void

  package init(step: Int, log: StepLog, tell: @escaping @Sendable (StepOutput) async -> Void) {
    self.step = step
    self.log = log
    self.tell = tell
  }

  /// Relays while `body` runs, then sends the rest.
  package func relaying<T: Sendable, E: Error>(_ body: () async throws(E) -> T) async throws(E) -> T {
    let position = Position()
    // It reads the log on the volume, which may not answer.
    let thread = TaskThread("relay")
    let task = Task(executorPreference: thread) {
      while !Task.isCancelled {
        // A piece that has been read is sent, even if the step ends meanwhile.
        await Task(executorPreference: thread) { await advance(position) }.value
        try await Task.sleep(for: LogRelay.pause)
      }
    }
    let result: T
    do {
      result = try await body()
    } catch {
      task.cancel()
      throw error
    }
    task.cancel()
    await finish(position, after: task, on: thread)
    return result
  }

  /// The relay's offset in the output; used by one task after the other.
  private actor Position {
    var offset: Int64 = 0

    func next(_ log: StepLog, _ step: Int) -> StepOutput? {
      let behind = log.written - offset
      let start = behind > LogRelay.longestDelay ? log.written - Int64(LogRelay.largestPiece) : offset
      let (from, bytes) = log.read(from: start, atMost: LogRelay.largestPiece)
      guard !bytes.isEmpty else { return nil }
      offset = from + Int64(bytes.count)
      return StepOutput(step: step, offset: from, bytes: bytes)
    }
  }

  private func advance(_ position: Position) async {
    if let piece = await position.next(log, step) { await tell(piece) }
  }

  /// Sends the rest, for a limited time: a broker that is away must not delay the job.
  private func finish(_ position: Position, after task: Task<Void, any Error>, on thread: TaskThread) async {
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    let rest = Task(executorPreference: thread) { [self] in
      _ = await task.result
      while !Task.isCancelled, let piece = await position.next(log, step) { await tell(piece) }
      end.finish()
    }
    await wait(atMost: LogRelay.patience) { for await _ in ended {} }
    rest.cancel()
  }
}
