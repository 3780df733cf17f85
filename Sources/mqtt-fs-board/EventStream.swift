import FlyingSocks
import Jobs
import Synchronization

/// A source of server-sent events.
protocol EventFeed: Sendable {
  /// The next events; `nil` if there are none at the moment. Throws at the end.
  func next() async throws -> [ServerEvent]?
}

/// One event for the page: a name, and a value as JSON.
struct ServerEvent: Sendable {
  let name: String
  let json: [UInt8]

  /// JSON has no line breaks outside of strings, and escapes those in them: it is one line of data.
  var bytes: [UInt8] { Array("event: \(name)\ndata: ".utf8) + json + [0x0A, 0x0A] }
}

/// The bytes of a feed: its events as they come, and a comment from time to time, so that a page that has gone is noticed.
struct EventStream: AsyncBufferedSequence {
  typealias Element = UInt8
  let feed: any EventFeed

  func makeAsyncIterator() -> Iterator { Iterator(feed: feed) }

  struct Iterator: AsyncBufferedIteratorProtocol {
    let feed: any EventFeed
    private var isBegun = false

    init(feed: any EventFeed) {
      self.feed = feed
    }

    mutating func next() async throws -> UInt8? {
      // FlyingFox reads whole buffers only.
      throw SocketError.disconnected
    }

    mutating func nextBuffer(suggested count: Int) async throws -> [UInt8]? {
      if !isBegun {
        isBegun = true
        return Array("retry: 1000\n\n".utf8)
      }
      let deadline = ContinuousClock.now + .seconds(10)
      while ContinuousClock.now < deadline {
        if let events = try await feed.next() { return events.flatMap(\.bytes) }
        try await Task.sleep(for: .milliseconds(80))
      }
      return Array(": still here\n\n".utf8)
    }
  }
}

/// The number of streams that may be open at once: each reads the volume.
final class StreamSeats: Sendable {
  private let taken = Mutex(0)
  private let most: Int

  init(_ most: Int) {
    self.most = most
  }

  /// A seat; `nil` if none is free.
  func take() -> StreamSeat? {
    taken.withLock { taken in
      guard taken < most else { return nil }
      taken += 1
      return StreamSeat(seats: self)
    }
  }

  fileprivate func give() {
    taken.withLock { $0 -= 1 }
  }
}

/// The right to have a stream open, for as long as this exists.
final class StreamSeat: Sendable {
  private let seats: StreamSeats

  fileprivate init(seats: StreamSeats) {
    self.seats = seats
  }

  deinit {
    seats.give()
  }
}
