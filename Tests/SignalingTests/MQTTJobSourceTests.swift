import Foundation
import MQTT
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Signaling
@testable import Signing
@testable import Steps
@testable import Volume
@testable import Worker

/// Requests that arrive while the worker has a job.
@Suite struct MQTTJobSourceTests {
  private let filter = "$share/workers/jobs/pending"

  private func withSource(
    on broker: Broker, shortJob: Duration, _ body: (MQTTJobSource, WorkerState, Ledger) async throws -> Void,
    afterwards: (Ledger) async throws -> Void = { _ in }
  ) async throws {
    let volume = FilePath(FileManager.default.temporaryDirectory.path).appending("volume-\(UUID().uuidString)")
    try FileManager.default.createDirectory(atPath: volume.string, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: volume.string) }
    let ledger = try Ledger(JobsDirectory(volume), worker: .testing(), filters: [filter], lease: .seconds(60))
    let stop = StopRequest()
    let state = WorkerState(ledger, stop: stop, logger: silent)
    let session = try Session(broker.sessionOptions("worker-01-control"), giveUpAfter: patience, logger: silent)
    let control = ControlSession(
      session, topics: RequestTopics(Topics(results: "jobs/results"), requests: [try TopicFilter("jobs/pending")]),
      retention: .none, presence: try .testing(session, of: state), state: state,
      logger: silent)
    var options = broker.sessionOptions("worker-01")
    (options.receiveMaximum, options.sessionExpiry) = (1, 3600)
    let source = MQTTJobSource(
      options, filters: [try TopicFilter(filter)], ledger: ledger, control: control, state: state, reader: .unsigned,
      stop: stop, giveUpAfter: patience, idleTimeout: nil, shortJob: shortJob, logger: silent)
    try await source.run { try await body(source, state, ledger) }
    try await afterwards(ledger)
  }

  private func nextRequest(_ source: MQTTJobSource) async throws -> JobOffer {
    while let offer = try await source.next() {
      if case .request(let request) = offer { return request }
    }
    throw WaitedInVain("the source has ended")
  }

  /// Gives the worker the job `first`, and then delivers the request for `second`.
  private func begin(_ source: MQTTJobSource, _ state: WorkerState, _ broker: Broker) async throws {
    try await broker.logged("Sending SUBACK to worker-01\n")
    for id in ["first", "second"] { try await broker.publish("jobs/pending", #"{"id": "\#(id)"}"#) }
    let first = try await nextRequest(source)
    #expect(first.request.id == (try JobID("first")))
    state.begin(JobPlace(first.request.id, attempt: 1))
    await first.acknowledge()
    try await broker.logged("Sending PUBLISH to worker-01", times: 2)
  }

  @Test func requestThatArrivesDuringAShortJobIsTheNextJob() async throws {
    try await Broker.running { broker in
      try await withSource(on: broker, shortJob: .seconds(3600)) { source, state, ledger in
        try await begin(source, state, broker)
        state.finishJob()
        let second = try await nextRequest(source)
        #expect(second.request.id == (try JobID("second")))
        #expect(try ledger.deferredQueue.count() == 0)
        await second.acknowledge()
      }
    }
  }

  @Test func requestThatArrivesDuringAShortJobStaysWithTheBroker() async throws {
    try await Broker.running { broker in
      try await withSource(on: broker, shortJob: .seconds(3600)) { source, state, _ in
        try await begin(source, state, broker)
      } afterwards: { ledger in
        #expect(try ledger.deferredQueue.count() == 0)
        try await broker.session(of: "worker-01") { $0?.queued == 1 }
      }
    }
  }

  @Test func requestThatArrivesDuringALongJobIsDeferred() async throws {
    try await Broker.running { broker in
      try await withSource(on: broker, shortJob: .zero) { source, state, ledger in
        try await begin(source, state, broker)
        try await eventually("a deferred request") { try ledger.deferredQueue.count() == 1 }
        try await broker.session(of: "worker-01") { $0?.queued == 0 }
      }
    }
  }
}
