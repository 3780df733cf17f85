import Client
import FlyingSocks
import Jobs
import Volume

/// The changes of the list of jobs, of the workers, and of the board's facts.
actor OverviewFeed: EventFeed {
  private let census: Census
  private let seat: StreamSeat
  private var version: JobRows.Version
  private var workers = -1
  private var facts: Census.Facts?

  /// The changes after `version`.
  init(_ census: Census, since version: JobRows.Version, seat: StreamSeat) {
    (self.census, self.version, self.seat) = (census, version, seat)
  }

  func next() throws -> [ServerEvent]? {
    census.noteInterest()
    var events: [ServerEvent] = []
    if census.rows.version != version {
      guard let changes = census.rows.changes(since: version) else {
        version = census.rows.version
        return [ServerEvent(name: "reset", json: Array("{}".utf8))]
      }
      version = changes.version
      let removed = try compactJSON(changes.removed)
      let head = Array("{\"version\":\"\(version)\",\"rows\":".utf8)
      events.append(
        ServerEvent(name: "jobs", json: head + changes.rows + Array(",\"removed\":".utf8) + removed + Array("}".utf8)))
    }
    let now = census.workers
    if now.number != workers {
      workers = now.number
      events.append(ServerEvent(name: "workers", json: try compactJSON(now.rows)))
    }
    if census.facts != facts {
      facts = census.facts
      events.append(ServerEvent(name: "facts", json: try compactJSON(facts)))
    }
    return events.isEmpty ? nil : events
  }
}

/// One job as it changes, and its log as it grows.
actor JobFeed: EventFeed {
  /// Some output for the page.
  struct Output: Encodable {
    let step: Int
    /// The place of the text in the log, in bytes.
    let offset: Int64
    let text: String
    /// Whether it replaces what the page shows.
    let isFirst: Bool
  }

  /// The end of a log that a page gets at first.
  static let tail: Int64 = 96 << 10

  private let id: JobID
  private let site: Site
  private let seat: StreamSeat
  private var tail: LogTail
  private var unfinished: [UInt8] = []
  private var nextLook = ContinuousClock.now
  private var shown: JobPage?

  init(_ id: JobID, _ choice: LogTail.Choice, _ site: Site, seat: StreamSeat) {
    (self.id, self.site, self.seat) = (id, site, seat)
    tail = LogTail(id, choice, size: JobFeed.tail, in: site.directory)
  }

  func next() async throws -> [ServerEvent]? {
    site.census.noteInterest()
    var events: [ServerEvent] = []
    if nextLook <= .now {
      nextLook = .now + .milliseconds(300)
      let page = try await onThread { [site, id, shown] in try site.page(of: id, after: shown) }
      if shown.map(page.isSame) != true {
        shown = page
        events.append(ServerEvent(name: "job", json: try compactJSON(page)))
      }
    }
    let before = tail
    let (after, piece) = try await onThread {
      var tail = before
      let piece = try tail.next()
      return (tail, piece)
    }
    tail = after
    if let piece { events.append(ServerEvent(name: "log", json: try compactJSON(output(piece)))) }
    return events.isEmpty ? nil : events
  }

  /// A character may come in two pieces: its first bytes are kept until the rest is there.
  private func output(_ piece: LogTail.Piece) -> Output {
    if piece.isFirst { unfinished = [] }
    var offset = piece.offset - Int64(unfinished.count)
    var bytes = unfinished + piece.bytes
    if piece.isFirst, offset > 0 {
      // Begin with a whole line.
      let start = bytes.firstIndex(of: 0x0A).map { $0 + 1 } ?? 0
      bytes.removeFirst(start)
      offset += Int64(start)
    }
    let rest = bytes.unfinishedCharacter
    unfinished = Array(bytes.suffix(rest))
    return Output(
      step: piece.step, offset: offset, text: String(decoding: bytes.dropLast(rest), as: UTF8.self),
      isFirst: piece.isFirst)
  }
}

extension [UInt8] {
  /// The number of bytes at the end that are the beginning of a character of UTF-8 (RFC 3629).
  var unfinishedCharacter: Int {
    for count in 1...3 where count <= self.count {
      let byte = self[self.count - count]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > count ? count : 0
    }
    return 0
  }
}
