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
    /// The topic filters of the workers that were told that something waits.
    var told: [String] = []
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
  func tellWaiting(_ filter: String) { heard.withLock { $0.told.append(filter) } }
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

  private func answer(_ key: RequestID) throws {
    let id = try JobID("job")
    let result = JobResult(
      jobId: id, status: .success, exitCode: 0, timing: JobTiming(start: "s", end: "e", durationMs: 1), steps: [],
      attempt: 1, workerId: "w", workerVersion: "1", host: "h", requestId: key.text)
    try ResultsFolder.prepare(in: try JobFolder.open(id, in: volume.directory)).write(result)
  }

  private func envelope(_ key: RequestID) -> Envelope {
    Envelope(payload: #"{"id": "job"}"#, topic: "jobs/pending", requestId: key)
  }

  /// A worker that stood still while it deferred a request writes it again, and another worker may have it by then.
  @Test func requestThatWasDeferredTwiceAndAnsweredIsAnsweredOnceMore() async throws {
    try volume.job("job")
    let (worker, queue, id) = (try worker(), try volume.ledger().deferredQueue, try JobID("job"))
    try queue.put(envelope(RequestID("key")), id)
    let deferred = try #require(try queue.requests().first)
    try volume.write(String(decoding: deferred.file.bytes, as: UTF8.self), queue.folder.appending("1-job.json"))
    try answer(RequestID("key"))
    #expect(try queue.count() == 2)
    #expect(try await worker.admission.admitWaiting(for: VolumeFixture.filter) == nil)
    #expect(offers.heard.withLock { $0.results.map(\.requestId) } == ["key"])
    #expect(try queue.count() == 0)
  }

  /// The worker stood still over a copy of a delivery that another worker got and answered, and a later request for the
  /// job has moved the answer aside.
  @Test func requestWhoseAnswerALaterOneMovedAsideIsNotRunAgain() async throws {
    try volume.job("job")
    let worker = try worker()
    let key = { (instant: Int64) in
      RequestID(session: "w", epoch: "e", packetID: 7, digest: "d", instant: instant, isRedelivery: instant > 1)
    }
    try answer(key(1))
    try answer(RequestID("later"))
    let queue = try volume.ledger().deferredQueue
    try queue.put(envelope(key(2)), try JobID("job"))
    #expect(try await worker.admission.admitWaiting(for: VolumeFixture.filter) == nil)
    #expect(try queue.count() == 0 && volume.names(volume.directory.claims).isEmpty)
    #expect(offers.heard.withLock { $0.results.isEmpty })
    // A message that is no redelivery is a new request.
    try queue.put(
      envelope(RequestID(session: "w", epoch: "e", packetID: 7, digest: "d", instant: 3, isRedelivery: false)),
      try JobID("job"))
    #expect(try await worker.admission.admitWaiting(for: VolumeFixture.filter) != nil)
  }

  @Test func staleCopyWithASendersKeyIsNotRunAgainEither() async throws {
    try volume.job("job")
    let worker = try worker()
    try answer(RequestID("first"))
    try answer(RequestID("later"))
    let offer = { (isCurrent: Bool) in
      JobOffer(
        request: try JobRequest(payload: Array(#"{"id": "job"}"#.utf8)), envelope: envelope(RequestID("first")),
        filter: VolumeFixture.filter, isCurrent: { isCurrent }
      ) {}
    }
    #expect(try await worker.admission.admit(offer(false)) == nil)
    #expect(try volume.ledger().claimFiles(of: try JobID("job")).isEmpty)
    #expect(offers.heard.withLock { $0.results.isEmpty })
    // The sender itself asks for a new run.
    #expect(try await worker.admission.admit(offer(true)) != nil)
  }

  @Test func requestThatWaitedForTooLongIsRejected() async throws {
    try volume.job("job")
    let (worker, queue) = (try worker(), try volume.ledger().deferredQueue)
    var late = envelope(RequestID("key"))
    late.expiry = 60
    try queue.put(late, try JobID("job"))
    let fresh = try #require(try queue.requests().first)
    try volume.write(String(decoding: fresh.file.bytes, as: UTF8.self), queue.folder.appending("1-job.json"))
    try fresh.file.remove()
    #expect(try await worker.admission.admitWaiting(for: VolumeFixture.filter) == nil)
    #expect(offers.heard.withLock { $0.results.map(\.status) } == [.rejected])
    // In time.
    try queue.put(late, try JobID("job"))
    #expect(try await worker.admission.admitWaiting(for: VolumeFixture.filter) != nil)
  }

  /// One idle worker is told of something, and there is more.
  @Test func whoTakesOneOfSeveralTellsOthers() async throws {
    let (worker, queue) = (try worker(), try volume.ledger().deferredQueue)
    for id in ["a", "b"] {
      try volume.job(id)
      try queue.put(TestSupport.envelope(id, "r-\(id)"), try JobID(id))
    }
    #expect(try await worker.admission.admitWaiting(for: VolumeFixture.filter) != nil)
    #expect(offers.heard.withLock { $0.told } == [VolumeFixture.filter])
    #expect(try await worker.admission.admitWaiting(for: VolumeFixture.filter) != nil)
    #expect(offers.heard.withLock { $0.told.count } == 1)
  }
}
