import MQTT
import Synchronization
import Worker

/// The entries that wait for an idle worker: those of the most urgent topic filter first, and each filter's in their
/// order. Each filter has at most one request here, and at most one look at the volume, however often a look is asked
/// for.
final class Inbox: Sendable {
  /// The place of a topic filter among the worker's; 0 is the most urgent.
  typealias Rank = Int

  /// Why to look at the volume.
  enum Occasion: Int, Sendable, Comparable {
    /// Something waits there.
    case told
    /// Time has passed, or a job has ended: a round may be due.
    case regular
    /// The worker has just begun: an earlier process of it may have left something.
    case begin

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  enum Entry: Sendable {
    case look(Rank, Occasion)
    case request(Rank, JobOffer)
    case timeout
    case failure(any Error)
    /// The worker should check whether to leave.
    case wakeup

    /// The topic filter that it is about.
    var rank: Rank? {
      switch self {
      case .look(let rank, _), .request(let rank, _): rank
      case .timeout, .failure, .wakeup: nil
      }
    }

    fileprivate var order: Int {
      switch self {
      case .look(let rank, _), .request(let rank, _): rank
      case .failure, .wakeup: 0
      // A worker that has waited for too long still takes what has come.
      case .timeout: .max
      }
    }

    fileprivate func occasion(of rank: Rank) -> Occasion? {
      if case .look(rank, let occasion) = self { occasion } else { nil }
    }

    fileprivate func isRequest(for rank: Rank) -> Bool { if case .request(rank, _) = self { true } else { false } }
  }

  private let entries = Mutex<[Entry]>([])
  private let bells: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation

  init() {
    (bells, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Adds an entry. Does not add a second look for a filter while one waits: that one is for both. A request can be
  /// withdrawn until the worker takes it.
  func add(_ entry: Entry) {
    entries.withLock { entries in
      if case .look(let rank, let occasion) = entry {
        for index in entries.indices {
          guard let waiting = entries[index].occasion(of: rank) else { continue }
          entries[index] = .look(rank, max(occasion, waiting))
          return
        }
      }
      if case .request(let rank, _) = entry { entries.removeAll { $0.isRequest(for: rank) } }
      entries.append(entry)
    }
    bell.yield()
  }

  /// Withdraws the request that waits. Returns false if none waits: then the worker has taken it and decides.
  @discardableResult func withdrawRequest(of rank: Rank) -> Bool {
    entries.withLock { entries in
      let count = entries.count
      entries.removeAll { $0.isRequest(for: rank) }
      return entries.count < count
    }
  }

  /// Waits for an entry, and returns the most urgent one, which stays; `nil` if the caller's task is canceled.
  func next() async -> Entry? {
    while true {
      if let entry = entries.withLock({ entries in Inbox.first(entries).map { entries[$0] } }) { return entry }
      var hasRung = false
      for await _ in bells {
        hasRung = true
        break
      }
      guard hasRung else { return nil }
    }
  }

  /// Takes the most urgent entry; `nil` if none is as urgent as `entry`.
  func take(noLaterThan entry: Entry) -> Entry? {
    entries.withLock { entries in
      guard let index = Inbox.first(entries), entries[index].order <= entry.order else { return nil }
      return entries.remove(at: index)
    }
  }

  private static func first(_ entries: [Entry]) -> Int? {
    // min(by:) returns the first of equals.
    entries.indices.min { entries[$0].order < entries[$1].order }
  }
}
