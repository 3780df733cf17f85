import Foundation
import Glibc
import Logging
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

struct AuditLogTests {
  private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func lines(_ log: AuditLog) throws -> [[String: Any]] {
    let text = try String(contentsOfFile: log.path.string, encoding: .utf8)
    #expect(text.isEmpty || text.hasSuffix("\n"))
    return try text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  @Test func lineSaysWhoDidWhatToWhichRequest() throws {
    let volume = try VolumeFixture()
    let ledger = try volume.ledger("one")
    try ledger.audit.record(AuditEntry(.deferred, id: JobID("job"), of: envelope("job", "order-4711")))
    let line = try #require(try lines(ledger.audit).first)
    #expect(ledger.audit.path.path == volume.jobs.appending(".worker/audit/one.jsonl"))
    #expect(line["event"] as? String == "put-down")
    #expect(line["id"] as? String == "job")
    #expect(line["requestId"] as? String == "order-4711")
    #expect(line["topic"] as? String == "jobs/pending")
    #expect(line["workerId"] as? String == "one")
    #expect(line["host"] as? String == hostName())
    #expect(line["pid"] as? Int32 == getpid())
    #expect((line["time"] as? String)?.hasSuffix("Z") == true)
    // printf '{"id":"job"}' | sha256sum
    #expect(
      line["requestDigest"] as? String == "sha256:9de0fb10656d5f2c8f35911b42d232603f9aebab505d17617b1edbbec48855df")
    #expect(line["attempt"] == nil)
  }

  @Test func fileIsMadeWithItsFirstLine() throws {
    let volume = try VolumeFixture()
    let ledger = try volume.ledger()
    #expect(try volume.names(volume.directory.audit) == [])
    try ledger.audit.record(AuditEntry(.left))
    #expect(try volume.names(volume.directory.audit) == ["worker-01.jsonl"])
  }

  @Test(arguments: ["{\"event\":\"clai", "{\"event\":\"left\"}\n", "\n"])
  func writerBeginsANewLine(_ before: String) throws {
    let volume = try VolumeFixture()
    let log = try volume.ledger().audit
    try volume.write(before, log.path)
    try log.record(AuditEntry(.left))
    try log.record(AuditEntry(.resumed))
    let text = try #require(volume.text(log.path))
    let whole = before.hasSuffix("\n") ? before : before + "\n"
    try #require(text.hasPrefix(whole))
    let events = text.dropFirst(whole.count).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(events.count == 3)
    #expect(events[0].contains("\"left\"") && events[1].contains("\"resumed\"") && events[2].isEmpty)
  }

  @Test func renamedFileIsLeftAlone() throws {
    let volume = try VolumeFixture()
    let log = try volume.ledger().audit
    try log.record(AuditEntry(.halted))
    let old = FilePath("\(log.path).1")
    try #require(rename(log.path.string, old.string) == 0)
    try log.record(AuditEntry(.resumed))
    #expect(volume.text(old)?.contains("halted") == true)
    #expect(volume.text(old)?.contains("resumed") == false)
    #expect(try lines(log).count == 1)
  }

  @Test func writersOfOneFileDoNotMixTheirLines() throws {
    let volume = try VolumeFixture()
    let logs = try (0..<4).map { _ in try volume.ledger().audit }
    let envelope = Envelope(payload: "{}", topic: String(repeating: "t", count: 900), requestId: RequestID("r"))
    let id = try JobID("job")
    DispatchQueue.concurrentPerform(iterations: 4) { index in
      for _ in 0..<200 { logs[index].note(AuditEntry(.duplicate, id: id, of: envelope), silent) }
    }
    #expect(try lines(logs[0]).count == 800)
  }

  @Test func longTextsAreClipped() throws {
    let volume = try VolumeFixture()
    let log = try volume.ledger().audit
    let long = "e" + String(repeating: "\u{301}", count: 200_000)
    try log.record(
      AuditEntry(.deferred, id: JobID("job"), of: Envelope(payload: "", topic: "t", requestId: RequestID(long))))
    let line = try #require(try lines(log).first)
    #expect((line["requestId"] as? String)?.unicodeScalars.count == 1001)
  }

  @Test(arguments: ["a link", "a folder", "a FIFO"])
  func whatIsNoFileGivesWayAndIsNotWrittenTo(_ kind: String) throws {
    let volume = try VolumeFixture()
    let log = try volume.ledger().audit
    let target = volume.root.appending("target")
    switch kind {
    case "a link": try #require(symlink(target.string, log.path.string) == 0)
    case "a folder": try #require(mkdir(log.path.string, 0o755) == 0)
    default: try #require(mkfifo(log.path.string, 0o644) == 0)
    }
    try log.record(AuditEntry(.left))
    #expect(try lines(log).count == 1)
    #expect(volume.text(target) == nil)
  }

  /// A worker may do nothing for a job that is not in the log.
  @Test func jobIsNotClaimedWhenTheLogCannotBeWritten() throws {
    let volume = try VolumeFixture()
    let ledger = try volume.ledger()
    try #require(rmdir(volume.directory.audit.path.string) == 0)
    #expect(throws: VolumeError.self) { try ledger.claim(envelope("job", "r"), JobID("job")) }
    #expect(try volume.names(volume.directory.claims) == [])
  }
}
