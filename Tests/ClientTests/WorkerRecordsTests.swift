import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

@Suite struct WorkerRecordsTests {
  private let volume: Volume

  init() throws { volume = try Volume() }

  /// Writes a file below `.worker` that was last changed so many days ago.
  private func record(_ path: String, days: Int, _ text: String = "line\n") throws {
    age(try volume.write(text, "jobs/.worker/\(path)"), .seconds(days * 86400))
  }

  private func records(days: Int = 7) throws -> WorkerRecords {
    WorkerRecords(directory: volume.directory, now: try volume.directory.time(), age: .seconds(days * 86400))
  }

  /// Applies all that is due, and returns the names.
  private func apply() throws -> [String] {
    let records = try records()
    return try records.due().filter { try records.apply($0) }.map { "\($0.path.folder.name)/\($0.path.name)" }
  }

  @Test func oldLogIsRotatedAndRemovedByALaterRun() throws {
    try record("audit/gone.jsonl", days: 8)
    try record("audit/there.jsonl", days: 6)
    #expect(try apply() == ["audit/gone.jsonl"])
    let names = volume.names("jobs/.worker/audit")
    #expect(names.count == 2 && names[0].hasPrefix("gone.jsonl.") && names[1] == "there.jsonl")
    #expect(volume.text("jobs/.worker/audit/\(names[0])") == "line\n")
    // It was rotated just now: its worker may be about to write a line.
    #expect(try apply() == [])
    try record("audit/gone.jsonl.1", days: 8)
    try record("audit/gone.jsonl.2", days: 6)
    #expect(try apply() == ["audit/gone.jsonl.1"])
  }

  @Test func largeLogIsRotatedAndItsWorkerBeginsANewOne() throws {
    let worker = WorkerIdentity(id: try #require(WorkerID("w", host: "")), version: "1")
    let ledger = try Ledger(volume.directory, worker: worker, filters: ["f"], lease: .seconds(60))
    try ledger.audit.record(AuditEntry(.halted))
    #expect(try apply() == [])
    let log = volume.directory.audit.appending("w.jsonl")
    truncate(log.description, 10 << 20)
    #expect(try apply() == [])
    truncate(log.description, 10 << 20 + 1)
    #expect(try apply() == ["audit/w.jsonl"])
    try ledger.audit.record(AuditEntry(.resumed))
    #expect(volume.text("jobs/.worker/audit/w.jsonl")?.contains("resumed") == true)
    #expect(volume.names("jobs/.worker/audit").count == 2)
  }

  @Test func logThatWasWrittenToMeanwhileIsNotRemoved() throws {
    try record("audit/w.jsonl.1", days: 8)
    let records = try records()
    let due = try records.due()
    try record("audit/w.jsonl.1", days: 0)
    #expect(try due.count == 1 && !records.apply(due[0]))
    #expect(volume.names("jobs/.worker/audit") == ["w.jsonl.1"])
  }

  @Test func probesOfWorkersThatAreGoneAreRemovedAndMembersStay() throws {
    for worker in ["gone", "present", "left", "young"] { try record("clocks/\(worker)", days: 8, "") }
    try record("clocks/young", days: 1, "")
    try record("members/present.json", days: 9)
    try record("members/left.left", days: 9)
    try record("members/other.json", days: 99)
    #expect(try apply() == ["clocks/gone"])
    #expect(volume.names("jobs/.worker/members") == ["left.left", "other.json", "present.json"])
  }

  @Test func entriesThatNoWorkerMadeStay() throws {
    for path in [
      "audit/notes.txt", "audit/w.jsonl.x", "audit/.hidden.jsonl", "audit/-.jsonl", "clocks/.hidden", "clocks/a b",
    ] {
      try record(path, days: 99)
    }
    try record("audit/folder.jsonl/file", days: 99)
    mkfifo("\(volume.directory.path)/.worker/clocks/fifo", 0o600)
    symlink("../audit/notes.txt", "\(volume.directory.path)/.worker/clocks/link")
    symlink("notes.txt", "\(volume.directory.path)/.worker/audit/link.jsonl")
    #expect(try apply() == [])
  }
}
