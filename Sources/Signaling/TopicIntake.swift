import CLinux
import Jobs
import Logging
import MQTT
import Signing
import Steps
import Volume
import Worker

/// What serves one of the worker's topic filters: the session of its requests, this worker's place among the filter's
/// members, and the takeover of what departed members leave.
struct TopicIntake: Sendable {
  let requests: RequestSession
  private let membership: BrokerMembership
  private let takeover: QueueTakeover
  private let rounds: Rounds
  private let control: ControlSession
  private let ledger: Ledger
  private let stop: StopRequest

  /// The intake of `ledger.filters[rank]`. `options` are those of the first filter's session.
  init(
    _ options: SessionOptions, _ filter: TopicFilter, _ rank: Inbox.Rank, ledger: Ledger, control: ControlSession,
    state: WorkerState, reader: RequestReader, inbox: Inbox, stop: StopRequest, giveUpAfter: Duration?,
    shortJob: Duration, logger: Logger
  ) {
    let ledger = ledger.serving(filter.text)
    let mark = rank == 0 ? nil : SessionName.mark(of: filter.text)
    var own = options
    if mark != nil {
      let prefix = options.clientID.dropLast(SessionName.intake(of: ledger.worker.id).count)
      own.clientID = prefix + SessionName.intake(of: ledger.worker.id.text, mark)
    }
    membership = BrokerMembership(own, filter: filter, mark, ledger: ledger)
    requests = RequestSession(
      own, filter: filter, rank, ledger: ledger, membership: membership, control: control, state: state,
      reader: reader, inbox: inbox, giveUpAfter: giveUpAfter, shortJob: shortJob, logger: logger)
    takeover = QueueTakeover(
      options: options, ledger: ledger, control: control, reader: reader, state: state, stop: stop,
      logger: logger)
    rounds = Rounds(ledger, broker: membership.broker)
    self.control = control
    self.ledger = ledger
    self.stop = stop
  }

  /// Joins the members of the filter; `false` if the worker is asked to stop first.
  func join() async throws -> Bool {
    let former = try membership.former
    if let former, membership.isAnotherSession(former) {
      let adoption: Void? = try await stop.unlessRaised { [takeover] in try await takeover.adoptFormerSelf(former) }
      if adoption == nil { return false }
    }
    try membership.begin(after: former)
    return true
  }

  /// Writes how this worker ends.
  func end(_ state: Member.State) throws {
    try membership.end(state)
  }

  /// The jobs of the filter whose workers are dead. At its beginning this worker looks for the last job of its own earlier
  /// process. If a round is due, it looks at all claims, and takes over the queues of departed members. Otherwise it takes
  /// what the last round found.
  func look(_ occasion: Inbox.Occasion) async throws -> [ClaimFile] {
    var abandoned: [ClaimFile] = []
    if occasion == .begin {
      abandoned = try ledger.abandonedClaims(of: ledger.filter, among: ledger.audit.lastClaimed().map { [$0] } ?? [])
    }
    let mustLook = occasion == .begin && membership.hasFormerSessions
    guard occasion > .told, let round = try rounds.begin(evenIfNotDue: mustLook) else {
      return abandoned.isEmpty ? try rounds.leftByLast() : abandoned
    }
    // What a round over thousands of members leaves free would stay with this worker, which may never make another.
    defer { _ = linux_trim_heap() }
    abandoned = try round.look()
    try await takeover.adoptDeparted(broker: membership.broker)
    return abandoned
  }
}
