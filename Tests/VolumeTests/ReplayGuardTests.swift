import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

/// A signed request begins only once.
struct ReplayGuardTests {
  private let volume: VolumeFixture
  private let ledger: Ledger

  init() throws {
    volume = try VolumeFixture()
    ledger = try volume.ledger()
  }

  private func request(_ key: String, of id: String = "job", expires seconds: Int64 = 600) throws -> JobRequest {
    let expires = Timestamp(millisecondsSince1970: Timestamp.now.millisecondsSince1970 + seconds * 1000)
    return JobRequest(
      id: try JobID(id), requestID: key, signature: RequestSignature(keyID: "k", expires: expires))
  }

  private func claim(_ id: String = "job") throws -> Claim {
    try #require(try ledger.claim(envelope(id, "r"), JobID(id)))
  }

  private var records: [VolumePath] {
    get throws {
      try volume.names(volume.directory.seen).flatMap { shard in
        let folder = volume.directory.seen.appending(shard)
        return try volume.names(folder).map { folder.appending($0) }
      }
    }
  }

  @Test func requestIsBegunByOneRunOnly() async throws {
    let first = try claim()
    #expect(try ledger.seen.begin(request("order"), first.record) == nil)
    // The same attempt and the next one of the same run may begin.
    #expect(try ledger.seen.begin(request("order"), first.record) == nil)
    let stale = ClaimFile(file: first.place, id: try JobID("job"), attempt: 1, record: first.record)
    let second = try #require(try volume.ledger("two").takeOver(stale, first.record.envelope))
    #expect(second.record.attempt == 2 && second.record.run == first.record.run)
    #expect(try ledger.seen.begin(request("order"), second.record) == nil)
    try await ledger.release(second)
    // Another run may not begin, of this job or another, by this worker or another.
    for id in ["job", "other"] {
      let again = try claim(id)
      let earlier = try #require(try volume.ledger("two").seen.begin(request("order", of: id), again.record))
      #expect(earlier.id.text == "job")
      #expect(earlier.requestId == "order")
      #expect(try ledger.seen.begin(request("order \(id)", of: id), again.record) == nil)
    }
  }

  @Test func unsignedRequestIsNotRecorded() throws {
    let record = try claim().record
    for _ in 0..<2 { #expect(try ledger.seen.begin(JobRequest(id: JobID("job"), requestID: "x"), record) == nil) }
    #expect(!volume.directory.exists(try JobID("seen")))
    #expect(throws: (any Error).self) { try records }
  }

  @Test func anyTextIsAKey() throws {
    let record = try claim().record
    for key in ["../../outside", "/", "é", String(repeating: "x", count: 100_000), "a\u{0}b"] {
      #expect(try ledger.seen.begin(request(key), record) == nil)
    }
    #expect(try records.count == 5)
    #expect(try volume.names(volume.root) == ["jobs"])
  }

  /// The writer of the record died while writing it: its run continues, and another run does not begin.
  @Test func tornRecordIsMadeWholeByTheNextAttemptOfItsRun() throws {
    let first = try claim()
    _ = try ledger.seen.begin(request("order"), first.record)
    let path = try #require(try records.first)
    try volume.write("{\"requ", path)
    let other = try claim("other")
    #expect(try ledger.seen.begin(request("order", of: "other"), other.record) != nil)
    let stale = ClaimFile(file: first.place, id: try JobID("job"), attempt: 1, record: first.record)
    let second = try #require(try ledger.takeOver(stale, first.record.envelope))
    #expect(try ledger.seen.begin(request("order"), second.record) == nil)
    #expect(try ledger.seen.begin(request("order", of: "other"), other.record)?.id.text == "job")
  }

  @Test func recordIsKeptAsLongAsTheSignatureIsGood() throws {
    let record = try claim().record
    for (key, expires) in [("over", -100 as Int64), ("just over", -15), ("good", 100)] {
      _ = try ledger.seen.begin(request(key, expires: expires), record)
    }
    for key in ["over", "just over", "good"] { try ledger.seen.clear(beside: request(key)) }
    let left = try records.map { try #require(volume.text($0)) }
    #expect(left.count == 2)
    #expect(!left.contains { $0.contains(#""requestId":"over""#) })
  }
}
