package import Jobs
package import Steps
package import Volume

/// The source of jobs and the sink of their results. MQTT is one; a dry run is another.
package protocol JobSource: Sendable {
  /// Waits for the next thing to look at. `nil` if nothing will come: the worker leaves, or was idle for too long.
  func next() async throws -> Offer?

  /// Publishes an event of a job, without waiting. Best effort.
  func publish(_ event: JobEvent)

  /// Publishes a piece of a step's output; returns when it has arrived, or never will.
  func publish(_ output: StepOutput, of claim: ClaimRecord) async

  /// Publishes the result of a job, and returns when it is certain that it arrived. Throws ``Undeliverable`` if this one is not
  /// taken, though others are.
  func publish(_ result: ResultMessage, answering envelope: Envelope) async throws

  /// Lets every waiting `publish` fail.
  func giveUp() async
}

/// A thing to look at for a worker that has no job.
package enum Offer: Sendable {
  /// A request arrived.
  case request(JobOffer)
  /// Something may wait on the volume: an abandoned job, or a deferred request.
  case look
}

/// A request that waits for a decision.
package struct JobOffer: Sendable {
  /// The content.
  package let request: JobRequest
  /// The message that it came in.
  package let envelope: Envelope
  /// The time of the offer.
  package let moment = ContinuousClock.now
  /// Acknowledges the request: it is safe and must not come again. Until then it would, if this worker died. Returns when the
  /// acknowledgement is on its way.
  package let acknowledge: @Sendable () async -> Void
  /// Whether the broker cannot have given it to anybody else meanwhile.
  package let isCurrent: @Sendable () -> Bool

  package init(
    request: JobRequest, envelope: Envelope, isCurrent: @escaping @Sendable () -> Bool = { true },
    acknowledge: @escaping @Sendable () async -> Void
  ) {
    self.request = request
    self.envelope = envelope
    self.isCurrent = isCurrent
    self.acknowledge = acknowledge
  }
}
