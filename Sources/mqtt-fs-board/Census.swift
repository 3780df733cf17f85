import Client
import Jobs
import Synchronization
import SystemPackage
import Volume

/// What the board knows of the volume and of the workers, kept current while somebody looks at it.
final class Census: Sendable {
  /// The facts about the board itself.
  struct Facts: Encodable, Equatable, Sendable {
    var volume: String
    /// Why no worker takes a job.
    var halted: String?
    /// Whether there is a link to a broker, and its fault.
    var broker: BrokerLink.State?
    /// Whether the first look at all jobs is over.
    var isComplete = false
    /// Why the volume cannot be read.
    var problem: String?
  }

  private struct State {
    var facts: Facts
    var roster: Roster?
    var workers: [WorkerRow] = []
    var workersNumber = 0
    var lastInterest = ContinuousClock.now
  }

  let rows = JobRows()
  private let directory: JobsDirectory
  private let state: Mutex<State>
  /// The time between two looks while a page is open.
  private static let pace = Duration.milliseconds(400)
  /// The same while nobody looks: it spares a network volume.
  private static let slowPace = Duration.seconds(15)

  init(_ directory: JobsDirectory) {
    self.directory = directory
    state = Mutex(State(facts: Facts(volume: directory.path.string)))
  }

  var facts: Facts { state.withLock { $0.facts } }

  /// The workers, and a number that is another when they have changed.
  var workers: (number: Int, rows: [WorkerRow]) { state.withLock { ($0.workersNumber, $0.workers) } }

  /// Notes that somebody looks at the board.
  func noteInterest() { state.withLock { $0.lastInterest = .now } }

  /// Notes what the broker tells of the workers.
  func setRoster(_ news: BrokerLink.News) {
    state.withLock { state in
      state.facts.broker = news.state
      if let roster = news.roster { state.roster = roster }
    }
  }

  /// Looks at the volume until the process ends.
  func run() async {
    var scan = VolumeScan(directory, rows)
    while true {
      let start = ContinuousClock.now
      scan = await look(scan)
      let took = ContinuousClock.now - start
      // A slow volume is not kept busy by one board.
      let pause = max(Census.pace, took * 2)
      try? await Task.sleep(for: pause)
      while state.withLock({ .now - $0.lastInterest > .seconds(30) }), .now - start < Census.slowPace {
        try? await Task.sleep(for: .milliseconds(100))
      }
    }
  }

  private func look(_ scan: VolumeScan) async -> VolumeScan {
    let before = scan
    do {
      return try await onThread { [self] in
        var scan = before
        try scan.look { (running) throws(VolumeError) in
          noteWorkers(try MemberListing(directory).entries(), running)
        }
        let halted = directory.haltReason
        state.withLock { state in
          state.facts.isComplete = true
          state.facts.halted = halted
          state.facts.problem = nil
        }
        return scan
      }
    } catch {
      state.withLock { $0.facts.problem = "\(error)" }
      return before
    }
  }

  private func noteWorkers(_ members: [MemberListing.Entry], _ running: [String: JobRow]) {
    let now = Timestamp.now.millisecondsSince1970
    state.withLock { state in
      var workers: [String: WorkerRow] = [:]
      for entry in members {
        workers[entry.member.worker] = WorkerRow(entry, running: running[entry.member.worker], at: now)
      }
      if let roster = state.roster {
        for entry in roster.entries.values {
          var row = WorkerRow(entry, isAsked: roster.isAsked, at: now)
          row.seen = workers[row.id]?.seen
          // The times come from two clocks: a second more or less is no news.
          if let old = state.workers.first(where: { $0.id == row.id })?.since, let new = row.since,
            abs(new - old) < 3000
          {
            row.since = old
          }
          workers[row.id] = row
        }
      }
      let sorted = workers.values.sorted { $0.id < $1.id }
      guard sorted != state.workers else { return }
      state.workers = sorted
      state.workersNumber += 1
    }
  }
}
