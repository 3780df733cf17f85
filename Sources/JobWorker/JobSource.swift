/// Where jobs come from, and where their results go. MQTT is one; a payload file is another.
public protocol JobSource: Sendable {
  /// What the worker can look at next; waits for it. `nil` when nothing will come: the worker is asked to stop, or was
  /// idle for too long.
  func next() async throws -> Offer?

  /// Called once, when the worker has a job: nothing that still arrives may be lost or kept waiting behind it.
  func workerIsBusy() async

  /// Tells whoever watches over workers where in its job this one is. Best effort, and waits for nothing.
  func worker(isAt place: JobPlace)

  /// What somebody wants canceled, whoever works on it. For one job: it ends with the task that reads it.
  var cancellations: AsyncStream<Cancellation> { get }

  /// Tells whoever listens what happens to a job. Best effort.
  func publish(_ event: JobEvent) async

  /// Hands on a piece of what a step wrote; returns when it has arrived, or never will.
  func publish(_ output: StepOutput, of claim: ClaimRecord) async

  /// Publishes the result of a job, and returns when it is certain that it arrived. Throws ``Undeliverable`` when this one
  /// is not taken, though others are.
  func publish(_ result: ResultMessage, answering envelope: Envelope) async throws

  /// Ends the source; what still waits in `publish` fails.
  func close() async
}

/// One result is not taken, while all is well with the connection: whoever tries again at once hears the same.
public struct Undeliverable: Error, CustomStringConvertible {
  /// What the source said.
  public let cause: any Error
  /// Whether the sender has its answer where it waits for it.
  public let senderIsAnswered: Bool

  /// A result that is not taken because of `cause`.
  public init(cause: any Error, senderIsAnswered: Bool) {
    self.cause = cause
    self.senderIsAnswered = senderIsAnswered
  }

  /// A sentence for the user.
  public var description: String { "\(cause)" }
}

/// That somebody wants a job canceled.
public struct Cancellation: Sendable {
  /// The job.
  public let id: JobID
  /// Where it was asked for.
  public let by: String
  /// When this worker heard of it.
  public let heard = ContinuousClock.now

  /// What is heard now.
  public init(_ id: JobID, by: String) {
    self.id = id
    self.by = by
  }
}

/// Something for a worker that has no job.
public enum Offer: Sendable {
  /// A request arrived.
  case request(JobOffer)
  /// Look at the volume: somebody may have died, or put a request down there.
  case look
}

/// A request that waits for a decision.
public struct JobOffer: Sendable {
  /// What is asked for.
  public let request: JobRequest
  /// How it arrived.
  public var envelope: Envelope
  /// When it was offered.
  public let moment = ContinuousClock.now
  /// How often it was looked at while somebody held the job of whom nothing can be read.
  var turns = 0
  /// Tells the source what became of the request, and that it must not come again: it is safe. Until then it would, if
  /// this worker died. Returns when that is said.
  public let acknowledge: @Sendable (Decision) async -> Void
  /// Whether it can have been given to nobody else meanwhile.
  public let isCurrent: @Sendable () -> Bool

  /// What a worker does with a request.
  public enum Decision: Sendable {
    /// It has claimed the job: nothing more is to be offered to it.
    case claimed
    /// It has answered the request, and waits for the next.
    case answered
  }

  /// A request, and how to acknowledge it.
  public init(
    request: JobRequest, envelope: Envelope, isCurrent: @escaping @Sendable () -> Bool = { true },
    acknowledge: @escaping @Sendable (Decision) async -> Void
  ) {
    self.request = request
    self.envelope = envelope
    self.isCurrent = isCurrent
    self.acknowledge = acknowledge
  }
}
