package import Jobs
package import Steps
private import Synchronization
private import SystemPackage
package import Volume

/// One request, and its result on stdout: a dry run.
package final class PayloadSource: JobSource {
  private let offer: Mutex<JobOffer?>

  /// The request that `payload` holds.
  package init(_ request: JobRequest, _ payload: [UInt8]) {
    let key = request.requestID ?? "dry-run:\(UInt64.random(in: 0 ... .max))"
    let envelope = Envelope(
      payload: String(decoding: payload, as: UTF8.self), topic: "", requestId: RequestID(key))
    offer = Mutex(JobOffer(request: request, envelope: envelope) { _ in })
  }

  /// The request, and then nothing more.
  package func next() async throws -> Offer? {
    offer.withLock { offer in
      defer { offer = nil }
      return offer.map { .request($0) }
    }
  }

  /// Nothing else can arrive.
  package func workerIsBusy() async {}

  /// Nobody watches.
  package func worker(isAt place: JobPlace) {}

  /// Nobody can ask for that; a signal can.
  package var cancellations: AsyncStream<Cancellation> { AsyncStream { $0.finish() } }

  /// Nobody listens to events.
  package func publish(_ event: JobEvent) async {}

  /// Nobody listens to that either.
  package func publish(_ output: StepOutput, of claim: ClaimRecord) async {}

  /// Prints the message that a broker would get. Throws ``VolumeError`` when it cannot be printed.
  package func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    let line = try result.encoded() + [UInt8(ascii: "\n")]
    do {
      try FileDescriptor.standardOutput.writeAll(line)
    } catch {
      throw VolumeError("cannot write to", "standard output", error as? Errno ?? .ioError)
    }
  }

  /// Nothing is open.
  package func close() async {}
}
