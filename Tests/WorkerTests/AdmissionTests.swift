import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

/// Offers requests, and remembers what became of them.
final class Offers: JobSource {
  struct Heard {
    var offers: [JobOffer] = []
    var decisions: [JobOffer.Decision] = []
    var events: [JobEvent.Kind] = []
    var results: [ResultMessage] = []
  }

  let heard = Mutex(Heard())

  func offer(_ payload: String, key: String) throws {
    let request = try JobRequest(payload: Array(payload.utf8))
    let envelope = Envelope(payload: payload, topic: "jobs/pending", requestId: RequestID(key))
    let offer = JobOffer(request: request, envelope: envelope) { decision in
      self.heard.withLock { $0.decisions.append(decision) }
    }
    heard.withLock { $0.offers.append(offer) }
  }

  func next() async throws -> Offer? {
    heard.withLock { $0.offers.isEmpty ? nil : .request($0.offers.removeFirst()) }
  }
  func workerIsBusy() async {}
  func worker(isAt place: JobPlace) {}
  var cancellations: AsyncStream<Cancellation> { AsyncStream { $0.finish() } }
  func publish(_ event: JobEvent) async { heard.withLock { $0.events.append(event.event) } }
  func publish(_ output: StepOutput, of claim: ClaimRecord) async {}
  func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    heard.withLock { $0.results.append(result) }
  }
  func close() async {}
}

@Suite struct AdmissionTests {
  private let volume: VolumeFixture
  private let offers = Offers()

  init() throws {
    volume = try VolumeFixture()
  }

  private func worker() throws -> Worker {
    Worker(
      ledger: try volume.ledger(), workspaces: try WorkspacesDirectory(volume.root.appending("workspaces")),
      source: offers, settings: WorkerSettings(), stop: StopRequest(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// The worker that held the job is dead, and what it was to run cannot be read any more: only its own request is refused.
  @Test func requestIsTakenThatMeetsAJobWhichCannotBeBegunAgain() async throws {
    try volume.job("job", "{")
    let worker = try worker()
    age(try volume.leaveClaim("job", of: "dead", request: "first"), .seconds(61))
    try offers.offer(#"{"id": "job", "steps": ["true"]}"#, key: "second")
    let job = try await worker.accept()
    #expect(job?.claim.record.envelope.requestId.text == "second")
    let heard = offers.heard.withLock { $0 }
    #expect(heard.decisions == [.claimed])
    #expect(heard.results.map(\.requestId) == ["first"] && heard.results.map(\.status) == [.rejected])
    #expect(!heard.events.contains(.duplicate))
  }

  @Test func requestThatIsBeingWorkedOnIsAcknowledgedWithoutAWord() async throws {
    try volume.job("job")
    let worker = try worker()
    _ = try volume.leaveClaim("job", of: "living", request: "first")
    try offers.offer(#"{"id": "job"}"#, key: "first")
    #expect(try await worker.accept() == nil)
    let heard = offers.heard.withLock { $0 }
    #expect(heard.decisions == [.answered])
    #expect(heard.events.isEmpty)
  }

  @Test func anotherRequestForAJobThatIsBeingWorkedOnIsToldSo() async throws {
    try volume.job("job")
    let worker = try worker()
    _ = try volume.leaveClaim("job", of: "living", request: "first")
    try offers.offer(#"{"id": "job"}"#, key: "second")
    #expect(try await worker.accept() == nil)
    let heard = offers.heard.withLock { $0 }
    #expect(heard.decisions == [.answered])
    #expect(heard.events == [.duplicate])
  }
}
