package import Jobs
package import Steps
package import Volume

/// Where jobs come from, and where their results go. MQTT is one; a payload file is another.
package protocol JobSource: Sendable {
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

/// That somebody wants a job canceled.
package struct Cancellation: Sendable {
  /// The job.
  package let id: JobID
  /// Where it was asked for.
  package let by: String
  /// When this worker heard of it.
  package let heard = ContinuousClock.now

  /// What is heard now.
  package init(_ id: JobID, by: String) {
    self.id = id
    self.by = by
  }
}

/// Something for a worker that has no job.
package enum Offer: Sendable {
  /// A request arrived.
  case request(JobOffer)
  /// Look at the volume: somebody may have died, or put a request down there.
  case look
}

/// A request that waits for a decision.
package struct JobOffer: Sendable {
  /// What is asked for.
  package let request: JobRequest
  /// How it arrived.
  package let envelope: Envelope
  /// When it was offered.
  package let moment = ContinuousClock.now
  /// Tells the source what became of the request, and that it must not come again: it is safe. Until then it would, if
  /// this worker died. Returns when that is said.
  package let acknowledge: @Sendable (Decision) async -> Void
  /// Whether it can have been given to nobody else meanwhile.
  package let isCurrent: @Sendable () -> Bool

  /// What a worker does with a request.
  package enum Decision: Sendable {
    /// It has claimed the job: nothing more is to be offered to it.
    case claimed
    /// It has answered the request, and waits for the next.
    case answered
  }

  /// A request, and how to acknowledge it.
  package init(
    request: JobRequest, envelope: Envelope, isCurrent: @escaping @Sendable () -> Bool = { true },
    acknowledge: @escaping @Sendable (Decision) async -> Void
  ) {
    self.request = request
    self.envelope = envelope
    self.isCurrent = isCurrent
    self.acknowledge = acknowledge
  }
}
