package import Jobs
package import Steps
private import Synchronization
package import Volume

/// The source of a single local run: one request, whose output and events go to the caller.
package final class LocalSource: JobSource {
  private let offer: Mutex<JobOffer?>
  private let show: @Sendable (StepOutput) async -> Void
  private let tell: @Sendable (JobEvent) -> Void
  private let answer = Mutex<ResultMessage?>(nil)

  /// A request for the job `id`, with these payload's values.
  package init(
    _ request: JobRequest, _ payload: [UInt8], show: @escaping @Sendable (StepOutput) async -> Void,
    tell: @escaping @Sendable (JobEvent) -> Void
  ) {
    let envelope = Envelope(
      payload: String(decoding: payload, as: UTF8.self), topic: "",
      requestId: RequestID(request.requestID ?? "run:\(UInt64.random(in: 0 ... .max))"))
    offer = Mutex(JobOffer(request: request, envelope: envelope, filter: nil) {})
    (self.show, self.tell) = (show, tell)
  }

  /// The message that a broker would have got.
  package var result: ResultMessage? { answer.withLock { $0 } }

  /// Returns the request once, and then `nil`.
  package func next() async throws -> Offer? {
    offer.withLock { offer in
      defer { offer = nil }
      return offer.map { .request($0) }
    }
  }

  /// Passes the event on.
  package func publish(_ event: JobEvent) { tell(event) }

  /// Passes the output on.
  package func publish(_ output: StepOutput, of claim: ClaimRecord) async { await show(output) }

  /// Keeps the message.
  package func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    answer.withLock { $0 = result }
  }
}
