package import Jobs
package import Steps
private import Synchronization
private import SystemPackage
package import Volume

/// The source of a dry run: one request, whose result goes to stdout.
package final class DryRunSource: JobSource {
  private let offer: Mutex<JobOffer?>

  /// The request that `payload` holds.
  package init(_ request: JobRequest, _ payload: [UInt8]) {
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

  /// Does nothing: a dry run has no listeners.
  package func publish(_ event: JobEvent) {}

  /// Does nothing: a dry run has no listeners.
  package func publish(_ output: StepOutput, of claim: ClaimRecord) async {}

  /// Prints the message that a broker would get. Throws ``VolumeError`` when stdout cannot be written.
  package func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    let line = try result.encoded() + [UInt8(ascii: "\n")]
    do {
      try FileDescriptor.standardOutput.writeAll(line)
    } catch {
      throw VolumeError("cannot write to", "standard output", error as? Errno ?? .ioError)
    }
  }
}
