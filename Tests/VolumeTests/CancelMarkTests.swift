import Foundation
import Glibc
import Jobs
import SystemPackage
import TestSupport
import Testing

@testable import Volume

struct CancelMarkTests {
  private func envelope(_ key: String) -> Envelope { Envelope(payload: "{}", topic: "", requestId: RequestID(key)) }

  private func put(_ id: JobID, of key: String?, by: String, in directory: JobsDirectory) throws -> CancelMark {
    let marks = try CancelMark.put(id, of: key, by: by, in: directory)
    #expect(marks.count == 1)
    return try #require(marks.first)
  }

  private func names(_ volume: VolumeFixture) throws -> [String] { try volume.names(volume.directory.canceled) }

  @Test func markIsForItsRequestOrForTheNext() throws {
    let volume = try VolumeFixture()
    let (id, other) = (try JobID("job"), try JobID("other"))
    let ledger = try volume.ledger()
    let mark = try put(id, of: "key", by: "ada@host", in: volume.directory)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == mark && mark.by == "ada@host")
    #expect(try ledger.cancelMark(of: envelope("another"), id) == nil)
    #expect(try ledger.cancelMark(of: envelope("key"), other) == nil)
    let next = try put(id, of: nil, by: "bob@host", in: volume.directory)
    #expect(try ledger.cancelMark(of: envelope("another"), id) == next)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == mark)
    #expect(try CancelMark.all(of: id, in: volume.directory) == [mark, next])
    ledger.removeCancelMarks(of: envelope("another"), id)
    #expect(try ledger.cancelMark(of: envelope("another"), id) == nil)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == mark)
    // It was the next one.
    _ = try CancelMark.put(id, of: nil, by: "bob@host", in: volume.directory)
    ledger.removeCancelMarks(of: envelope("key"), id)
    #expect(try names(volume).isEmpty)
  }

  /// It is sent after somebody has canceled an earlier one.
  @Test func requestIsExemptedFromOneMark() throws {
    let volume = try VolumeFixture()
    let id = try JobID("job")
    let ledger = try volume.ledger()
    try CancelMark.exempt(id, "key", by: "its sender", in: volume.directory)
    #expect((try? names(volume)) ?? [] == [])
    let mark = try put(id, of: nil, by: "ada@host", in: volume.directory)
    try CancelMark.exempt(id, "key", by: "its sender", in: volume.directory)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == nil)
    #expect(try ledger.cancelMark(of: envelope("another"), id) == mark)
    // Whoever looks at the job sees what holds for the request that was sent last.
    #expect(try CancelMark.all(of: id, in: volume.directory).isEmpty)
    // The answer to the exempted request leaves the mark to the other.
    ledger.removeCancelMarks(of: envelope("key"), id)
    #expect(try names(volume) == ["job.json"])
    // A later mark is for it, and the first one is still for the other.
    try CancelMark.exempt(id, "key", by: "its sender", in: volume.directory)
    let later = try put(id, of: nil, by: "bob@host", in: volume.directory)
    #expect(later.requestId == "key")
    #expect(try ledger.cancelMark(of: envelope("key"), id) == later)
    #expect(try CancelMark.put(id, of: nil, by: "bob@host", in: volume.directory).isEmpty)
    ledger.removeCancelMarks(of: envelope("key"), id)
    #expect(try ledger.cancelMark(of: envelope("another"), id) == mark)
    ledger.removeCancelMarks(of: envelope("another"), id)
    #expect(try names(volume).isEmpty)
  }

  /// As when its job runs, and somebody cancels that.
  @Test func markOfAnExemptedRequestKeepsWhatItIsExemptedFrom() throws {
    let volume = try VolumeFixture()
    let id = try JobID("job")
    let ledger = try volume.ledger()
    let next = try put(id, of: nil, by: "ada@host", in: volume.directory)
    try CancelMark.exempt(id, "key", by: "its sender", in: volume.directory)
    let own = try put(id, of: "key", by: "bob@host", in: volume.directory)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == own)
    ledger.removeCancelMarks(of: envelope("key"), id)
    #expect(try ledger.cancelMark(of: envelope("another"), id) == next)
  }

  /// Two cancel the same job, and the first of them takes its mark back.
  @Test func markOfAnotherStays() throws {
    let volume = try VolumeFixture()
    let id = try JobID("job")
    let ledger = try volume.ledger()
    let first = try put(id, of: nil, by: "ada@host", in: volume.directory)
    let second = try put(id, of: nil, by: "ada@host", in: volume.directory)
    try first.remove(from: volume.directory)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == second)
    try second.remove(from: volume.directory)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == nil)
  }

  /// An id may end like the mark of another.
  @Test func idThatLooksLikeAnothersMarkIsNotIt() throws {
    let volume = try VolumeFixture()
    let ledger = try volume.ledger()
    _ = try CancelMark.put(try JobID("job"), of: "key", by: "ada@host", in: volume.directory)
    let digest = try #require(try names(volume).first?.split(separator: "~").last?.dropLast(".json".count))
    for id in ["job.\(digest)", "job-\(digest)", "job_\(digest)"] {
      #expect(try ledger.cancelMark(of: envelope("key"), JobID(id)) == nil)
    }
  }

  @Test func oldMarkAndWhatIsNoneMeanNothing() throws {
    let volume = try VolumeFixture()
    let id = try JobID("job")
    let ledger = try volume.ledger()
    let path = volume.directory.canceled.appending("job.json").path.string
    try #"{"id":"job","by":"ada@host","made":1000000000,"nonce":"x"}"#.write(
      toFile: path, atomically: true, encoding: .utf8)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == nil)
    _ = try CancelMark.put(try JobID("new"), of: nil, by: "ada@host", in: volume.directory)
    #expect(try names(volume) == ["new.json"])
    for text in ["no JSON", #"{"id":"other","by":"ada@host","made":9000000000000000000,"nonce":"x"}"#] {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      #expect(try ledger.cancelMark(of: envelope("key"), id) == nil)
    }
    unlink(path)
    mkdir(path, 0o755)
    #expect(try ledger.cancelMark(of: envelope("key"), id) == nil)
    #expect(try put(id, of: nil, by: "ada@host", in: volume.directory).by == "ada@host")
    #expect(try ledger.cancelMark(of: envelope("key"), id) != nil)
  }
}
