package import Jobs
package import Steps
private import Synchronization
private import SystemPackage
package import Volume

/// One request, and its result on stdout: a dry run.
package final class DryRunSource: JobSource {
  private let offer: Mutex<JobOffer?>

  /// The request that `payload` holds.
  package init(_ request: JobRequest, _ payload: [UInt8]) {
    let key = request.requestID ?? "dry-run:\(UInt64.random(in: 0 ... .max))"
    let envelope = Envelope(
      payload: String(decoding: payload, as: UTF8.self), topic: "", requestId: RequestID(key))
    offer = Mutex(JobOffer(request: request, envelope: envelope) {})
  }

  /// The request, and then nothing more.
  package func next() async throws -> Offer? {
    offer.withLock { offer in
      defer { offer = nil }
      return offer.map { .request($0) }
    }
  }

  /// Nobody listens to events.
  package func publish(_ event: JobEvent) {}

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

  /// Nothing waits.
  package func giveUp() async {}
}
