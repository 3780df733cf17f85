package import Jobs
package import Steps
package import Volume

/// The source of a worker's jobs, and the sink of their results: MQTT or a dry run.
package protocol JobSource: Sendable {
  /// Waits for the next offer. `nil` if none will come: the worker leaves, or was idle for too long.
  func next() async throws -> Offer?

  /// Tells idle workers of this topic filter that something waits on the volume for them.
  func tellWaiting(_ filter: String)

  /// Publishes an event of a job without waiting, and without a guarantee that it arrives.
  func publish(_ event: JobEvent)

  /// Publishes a piece of a step's output. Returns when the piece has arrived, or when it is certain that it will not.
  func publish(_ output: StepOutput, of claim: ClaimRecord) async

  /// Publishes the result of a job, and returns when it has certainly arrived. Throws ``Undeliverable`` if the broker
  /// does not take this result, although it takes other messages.
  func publish(_ result: ResultMessage, answering envelope: Envelope) async throws
}

/// Something that a worker without a job should look at.
package enum Offer: Sendable {
  /// A request arrived.
  case request(JobOffer)
  /// Something may wait on the volume for the workers of this topic filter: a deferred request, or these jobs, whose
  /// workers are dead.
  case look(String, abandoned: [ClaimFile])
}

/// A request that waits for a decision.
package struct JobOffer: Sendable {
  /// The content of the payload.
  package let request: JobRequest
  /// The message that brought the request.
  package let envelope: Envelope
  /// The topic filter of the session that brought it; `nil` in a dry run.
  package let filter: String?
  /// When the message arrived.
  package let received: ContinuousClock.Instant
  /// Acknowledges the request, so that the broker does not send it again. Call it once a kill of this worker cannot
  /// lose the request. Returns when the acknowledgement is on its way.
  package let acknowledge: @Sendable () async -> Void
  /// Whether the connection that brought the request still stands. If not, the broker may have given the request to
  /// another worker.
  package let isCurrent: @Sendable () -> Bool

  package init(
    request: JobRequest, envelope: Envelope, filter: String?, received: ContinuousClock.Instant = .now,
    isCurrent: @escaping @Sendable () -> Bool = { true }, acknowledge: @escaping @Sendable () async -> Void
  ) {
    self.request = request
    self.envelope = envelope
    self.filter = filter
    self.received = received
    self.isCurrent = isCurrent
    self.acknowledge = acknowledge
  }
}
