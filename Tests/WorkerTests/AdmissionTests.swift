import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Offers requests, and records the outcome.
final class Offers: JobSource {
  struct Heard {
    var offers: [JobOffer] = []
    /// Whether the worker had a job at each acknowledgement.
    var acknowledgedBusy: [Bool] = []
    var events: [JobEvent.Kind] = []
    var results: [ResultMessage] = []
  }

  let heard = Mutex(Heard())
  private let state = Mutex<WorkerState?>(nil)

  /// Records from now on whether `worker` has a job when a request is acknowledged.
  func watch(_ worker: Worker) { state.withLock { $0 = worker.state } }
  func isBusy() -> Bool { state.withLock { $0?.snapshot.isBusy == true } }

  func offer(_ payload: String, key: String) throws {
    let request = try JobRequest(payload: Array(payload.utf8))
    let envelope = Envelope(payload: payload, topic: "jobs/pending", requestId: RequestID(key))
    let offer = JobOffer(request: request, envelope: envelope, filter: VolumeFixture.filter) {
      self.heard.withLock { $0.acknowledgedBusy.append(self.isBusy()) }
    }
    heard.withLock { $0.offers.append(offer) }
  }

  func next() async throws -> Offer? {
    heard.withLock { $0.offers.isEmpty ? nil : .request($0.offers.removeFirst()) }
  }
  func publish(_ event: JobEvent) { heard.withLock { $0.events.append(event.event) } }
  func publish(_ output: StepOutput, of claim: ClaimRecord) async {}
  func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    heard.withLock { $0.results.append(result) }
  }
}

@Suite struct AdmissionTests {
  private let volume: VolumeFixture
  private let offers = Offers()

  init() throws {
    volume = try VolumeFixture()
  }

  private func worker() throws -> Worker {
    let (ledger, stop) = (try volume.ledger(), StopRequest())
    let worker = Worker(
      ledger: ledger, workspaces: try WorkspacesDirectory(volume.root.appending("workspaces")),
      source: offers, state: WorkerState(ledger, stop: stop, logger: quiet), settings: WorkerSettings(), stop: stop,
      logger: quiet)
    offers.watch(worker)
    return worker
  }

  /// The worker that held the job is dead, and its job.json can no longer be read. Only the dead worker's request is
  /// rejected.
  @Test func requestIsTakenThatMeetsAJobWhichCannotBeBegunAgain() async throws {
    try volume.job("job", "{")
    let worker = try worker()
    age(try volume.leaveClaim("job", of: "dead", request: "first"), .seconds(61))
    try offers.offer(#"{"id": "job", "steps": ["true"]}"#, key: "second")
    let job = try await worker.accept()
    #expect(job?.claim.record.envelope.requestId.text == "second")
    let heard = offers.heard.withLock { $0 }
    #expect(heard.acknowledgedBusy == [true])
    #expect(heard.results.map(\.requestId) == ["first"] && heard.results.map(\.status) == [.rejected])
    #expect(!heard.events.contains(.duplicate))
  }

  @Test(arguments: [("first", []), ("second", [JobEvent.Kind.duplicate])])
  func requestForAJobThatIsBeingWorkedOnIsAcknowledged(_ key: String, _ events: [JobEvent.Kind]) async throws {
    try volume.job("job")
    let worker = try worker()
    _ = try volume.leaveClaim("job", of: "living", request: "first")
    try offers.offer(#"{"id": "job"}"#, key: key)
    #expect(try await worker.accept() == nil)
    let heard = offers.heard.withLock { $0 }
    #expect(heard.acknowledgedBusy == [false])
    #expect(heard.events == events)
  }
}
