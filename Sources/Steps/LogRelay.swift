import SystemPackage

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
  package static let largestPiece = 64 << 10
  package static let pause = Duration.milliseconds(62)
  /// The most bytes that the relay may lag behind the step; older ones are left out.
  static let longestDelay: Int64 = 1 << 20
  /// How long the end of a step waits for the rest of the output.
  package static let patience = Duration.seconds(2)

  package let step: Int
  package let log: StepLog
  /// Returns when the piece has arrived, or is known never to arrive.
  package let tell: @Sendable (StepOutput) async -> Void

  package init(step: Int, log: StepLog, tell: @escaping @Sendable (StepOutput) async -> Void) {
    self.step = step
    self.log = log
    self.tell = tell
  }

  /// Relays while `body` runs, then sends the rest.
  package func relaying<T: Sendable, E: Error>(_ body: () async throws(E) -> T) async throws(E) -> T {
    let position = Position()
    let task = Task {
      while !Task.isCancelled {
        await advance(position)
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
    await finish(position, after: task)
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
  private func finish(_ position: Position, after task: Task<Void, any Error>) async {
    _ = await wait(atMost: LogRelay.patience) { [self] in
      _ = await task.result
      while !Task.isCancelled, let piece = await position.next(log, step) { await tell(piece) }
    }
  }
}
