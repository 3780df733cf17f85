import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Signing
@testable import Steps
@testable import Volume
@testable import Worker

/// The order of admission as a table: each origin of a request in each state.
@Suite struct AdmissionTableTests {
  enum Origin: String, CaseIterable { case delivery, deferred, abandoned }
  enum State: String, CaseIterable { case ordinary, answered, held, expired, unapproved, stopping, invalid, replay }

  struct Cell: CustomTestStringConvertible, Sendable {
    let origin: Origin
    let state: State
    /// The outcome for the request, and the files afterwards.
    let expected: String
    var testDescription: String { "\(origin) \(state)" }
  }

  static let table: [Cell] = [
    Cell(origin: .delivery, state: .ordinary, expected: "run, acknowledged busy, claims 1"),
    Cell(origin: .delivery, state: .answered, expected: "none, acknowledged idle, told success"),
    Cell(origin: .delivery, state: .held, expected: "none, acknowledged idle, event duplicate, claims 1"),
    Cell(origin: .delivery, state: .expired, expected: "none, acknowledged idle, told rejected"),
    Cell(
      origin: .delivery, state: .unapproved, expected: "none, acknowledged idle, event awaiting-approval, parked"),
    Cell(origin: .delivery, state: .stopping, expected: "none"),
    Cell(origin: .delivery, state: .invalid, expected: "none, acknowledged idle, told rejected"),
    Cell(origin: .delivery, state: .replay, expected: "none, acknowledged idle, told rejected"),
    Cell(origin: .deferred, state: .ordinary, expected: "run, claims 1"),
    Cell(origin: .deferred, state: .answered, expected: "none, told success"),
    Cell(origin: .deferred, state: .held, expected: "none, claims 1, deferred"),
    Cell(origin: .deferred, state: .expired, expected: "none, told rejected"),
    Cell(origin: .deferred, state: .unapproved, expected: "none, event awaiting-approval, parked"),
    Cell(origin: .deferred, state: .stopping, expected: "none, deferred"),
    Cell(origin: .deferred, state: .invalid, expected: "none, told rejected"),
    Cell(origin: .deferred, state: .replay, expected: "none, told rejected"),
    Cell(origin: .abandoned, state: .ordinary, expected: "run, claims 1 2"),
    Cell(origin: .abandoned, state: .answered, expected: "publish, claims 1 2"),
    Cell(origin: .abandoned, state: .held, expected: "none, claims 1 2"),
    Cell(origin: .abandoned, state: .expired, expected: "give up, claims 1 2"),
    Cell(origin: .abandoned, state: .unapproved, expected: "none, told rejected"),
    Cell(origin: .abandoned, state: .stopping, expected: "none, claims 1"),
    Cell(origin: .abandoned, state: .invalid, expected: "none, told rejected"),
    Cell(origin: .abandoned, state: .replay, expected: "none, told rejected"),
  ]

  @Test func tableHasEveryCell() {
    #expect(Set(Self.table.map(\.testDescription)).count == Origin.allCases.count * State.allCases.count)
  }

  @Test(arguments: table) func requestIsAdmittedInOneOrder(_ cell: Cell) async throws {
    let volume = try VolumeFixture()
    let (offers, stop, ledger) = (Offers(), StopRequest(), try volume.ledger())
    let payload = payload(for: cell.state)
    let isSigned = [.expired, .replay].contains(cell.state)
    var settings = WorkerSettings()
    if isSigned { settings.reader = RequestReader(audience: []) { RequestReader.Verified(payload: $0, keyID: "key") } }
    settings.folderPatience = .zero
    try volume.job("job", definition(for: cell.state))
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let worker = Worker(
      ledger: ledger, workspaces: try WorkspacesDirectory(volume.root.appending("workspaces")), source: offers,
      state: WorkerState(ledger, stop: stop, logger: logger), settings: settings, stop: stop, logger: logger)
    offers.watch(worker)
    var envelope = Envelope(payload: payload, topic: "jobs/pending", requestId: RequestID("key"))
    envelope.run = nil
    // The state before the request arrives.
    switch cell.state {
    case .answered: try answer(volume)
    case .held where cell.origin != .abandoned: _ = try volume.leaveClaim("job", of: "living", request: "other")
    case .stopping: stop.raise(.terminate, reason: .shutdown)
    case .replay:
      let request = try settings.reader.read(Array(payload.utf8))
      let record = ClaimRecord(
        id: request.id, attempt: 1, worker: "other", process: .elsewhere, run: "another", filter: nil,
        envelope: envelope)
      #expect(try ledger.seen.begin(request, record) == nil)
    default: break
    }
    let outcome = try await worker.admission.admit(
      try request(cell, envelope, settings.reader, offers, volume, ledger))
    #expect(try seen(outcome, offers, ledger) == cell.expected)
  }

  private func payload(for state: State) -> String {
    let now = Timestamp.now.millisecondsSince1970 / 1000
    return switch state {
    case .expired: #"{"id": "job", "steps": ["true"], "jti": "key", "exp": \#(now - 60)}"#
    case .replay: #"{"id": "job", "steps": ["true"], "jti": "key", "exp": \#(now + 600)}"#
    default: #"{"id": "job"}"#
    }
  }

  private func definition(for state: State) -> String {
    switch state {
    case .unapproved: #"{"steps": ["true"], "requireApproval": true}"#
    case .invalid: "{"
    default: #"{"steps": ["true"]}"#
    }
  }

  private func answer(_ volume: VolumeFixture) throws {
    let folder = try JobFolder.open(JobID("job"), in: volume.directory)
    let result = JobResult(
      jobId: try JobID("job"), status: .success, exitCode: 0, timing: JobTiming(start: "s", end: "e", durationMs: 1),
      steps: [], attempt: 1, workerId: "w", workerVersion: "1", host: "h", requestId: "key")
    try ResultsFolder.prepare(in: folder).write(result)
  }

  private func request(
    _ cell: Cell, _ envelope: Envelope, _ reader: RequestReader, _ offers: Offers, _ volume: VolumeFixture,
    _ ledger: Ledger
  ) throws -> Request {
    let id = try JobID("job")
    switch cell.origin {
    case .delivery:
      let content = try reader.read(Array(envelope.payload.utf8))
      return Request(
        JobOffer(request: content, envelope: envelope, filter: ledger.filter) {
          offers.heard.withLock { $0.acknowledgedBusy.append(offers.isBusy()) }
        })
    case .deferred:
      try ledger.deferredQueue.put(envelope, id)
      return Request(try #require(try ledger.deferredQueue.requests(of: id).first), for: ledger.filter, reader)
    case .abandoned:
      let record = ClaimRecord(
        id: id, attempt: 1, worker: "dead", process: .elsewhere, filter: VolumeFixture.filter, envelope: envelope)
      let path = volume.directory.claims.appending("job.1.json")
      try DurableFile.create(path, DurableFile.line(record, for: path))?.close()
      age(path, .seconds(61))
      let stale = try #require(try ledger.abandonedClaims().first)
      if cell.state == .held { _ = try volume.leaveClaim("job", attempt: 2, of: "living", request: "key") }
      return try #require(Request(stale, reader))
    }
  }

  private func seen(_ outcome: Admission.Outcome, _ offers: Offers, _ ledger: Ledger) throws -> String {
    let heard = offers.heard.withLock { $0 }
    var words: [String] =
      switch outcome {
      case .accepted(let job):
        switch job.work {
        case .run: ["run"]
        case .publish: ["publish"]
        case .giveUp: ["give up"]
        case .cancel: ["cancel"]
        }
      case .noJob: ["none"]
      case .again: ["again"]
      }
    words += heard.acknowledgedBusy.map { $0 ? "acknowledged busy" : "acknowledged idle" }
    words += heard.results.map { "told \($0.status.rawValue)" }
    words += heard.events.filter { $0 != .rejected }.map { "event \($0.rawValue)" }
    let claims = try ledger.claimFiles(of: JobID("job")).map { "\($0.attempt)" }
    if !claims.isEmpty { words.append("claims \(claims.joined(separator: " "))") }
    if try ledger.deferredQueue.count() > 0 { words.append("deferred") }
    if try ledger.parkedQueue.count() > 0 { words.append("parked") }
    return words.joined(separator: ", ")
  }
}
