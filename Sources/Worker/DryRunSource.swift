package import Jobs
package import Steps
private import Synchronization
package import Volume

/// The source of a run without a broker: one request, whose output, events and result go to the caller.
package final class DryRunSource: JobSource {
  private let offer: Mutex<JobOffer?>
  private let show: @Sendable (StepOutput) async -> Void
  private let tell: @Sendable (JobEvent) -> Void
  private let answer: @Sendable (ResultMessage) -> Void

  /// The request that `payload` holds. `answer` gets the message that a broker would get.
  package init(
    _ request: JobRequest, _ payload: [UInt8], show: @escaping @Sendable (StepOutput) async -> Void = { _ in },
    tell: @escaping @Sendable (JobEvent) -> Void = { _ in },
    answer: @escaping @Sendable (ResultMessage) -> Void
  ) {
    (self.show, self.tell, self.answer) = (show, tell, answer)
    let key = request.requestID ?? "dry-run:\(UInt64.random(in: 0 ... .max))"
    let envelope = Envelope(
      payload: String(decoding: payload, as: UTF8.self), topic: "", requestId: RequestID(key))
    offer = Mutex(JobOffer(request: request, envelope: envelope, filter: nil) {})
  }

  /// Returns the request once, and then `nil`.
  package func next() async throws -> Offer? {
    offer.withLock { offer in
      defer { offer = nil }
      return offer.map { .request($0) }
    }
  }

  /// Nobody waits for what a dry run leaves.
  package func tellWaiting(_ filter: String) {}

  /// Passes the event on.
  package func publish(_ event: JobEvent) { tell(event) }

  /// Passes the output on.
  package func publish(_ output: StepOutput, of claim: ClaimRecord) async { await show(output) }

  /// Passes the message on.
  package func publish(_ result: ResultMessage, answering envelope: Envelope) async throws { answer(result) }
}
