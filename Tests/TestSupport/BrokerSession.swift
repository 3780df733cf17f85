import Foundation
import SystemPackage

/// A session that the broker keeps for a client.
public struct BrokerSession: Equatable, Sendable {
  /// The subscriptions, without shared ones: mosquitto 2.0 does not save those.
  public var filters: Set<String> = []
  /// How many messages wait for the client, including those that it has not acknowledged.
  public var queued = 0

  /// A session with these subscriptions and so many messages.
  public init(filters: Set<String> = [], queued: Int = 0) {
    self.filters = filters
    self.queued = queued
  }
}

extension Broker {
  /// The durable sessions by client id, as mosquitto writes them to disk (SIGUSR1). Needs persistence. Leaves out
  /// sessions that end with their connection.
  public func sessions() async throws -> [String: BrokerSession] {
    try await save()
    guard let data = FileManager.default.contents(atPath: database.string) else { return [:] }
    return try BrokerDatabase(data).sessions
  }

  /// Waits until `condition` holds for the session of `client`, which is `nil` if there is none.
  public func session(
    of client: String, within limit: Duration = patience, _ condition: (BrokerSession?) -> Bool
  ) async throws {
    try await eventually("the session of \(client)", within: limit) { condition(try await sessions()[client]) }
  }
}

/// mosquitto.db, formats 5 and 6 (persist.h of mosquitto 2): big-endian chunks of a kind, a length, a fixed part and
/// texts.
private struct BrokerDatabase {
  private(set) var sessions: [String: BrokerSession] = [:]

  init(_ data: Data) throws {
    let bytes = Array(data)
    // Magic, checksum and version.
    var start = 15 + 4 + 4
    guard bytes.count >= start, (5...6).contains(bytes[22]) else {
      throw WaitedInVain("mosquitto.db is of a format that is not known here")
    }
    while start + 8 <= bytes.count {
      let (kind, length) = (number(bytes, start, 4), number(bytes, start + 4, 4))
      start += 8
      guard start + length <= bytes.count else { throw WaitedInVain("mosquitto.db is cut off") }
      take(kind, Array(bytes[start..<start + length]))
      start += length
    }
  }

  private mutating func take(_ kind: Int, _ chunk: [UInt8]) {
    switch kind {
    case 3: sessions[text(chunk, 16, number(chunk, 10, 2)), default: BrokerSession()].queued += 1
    case 5:
      let (client, filter) = (number(chunk, 4, 2), number(chunk, 6, 2))
      sessions[text(chunk, 12, client), default: BrokerSession()].filters.insert(text(chunk, 12 + client, filter))
    case 6: sessions[text(chunk, 24, number(chunk, 14, 2)), default: BrokerSession()].queued += 0
    default: break
    }
  }

  private func text(_ chunk: [UInt8], _ start: Int, _ length: Int) -> String {
    String(decoding: chunk[start..<start + length], as: UTF8.self)
  }
}

private func number(_ bytes: [UInt8], _ start: Int, _ count: Int) -> Int {
  bytes[start..<start + count].reduce(0) { $0 << 8 | Int($1) }
}
