import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing

@testable import Volume

struct CancelMarkTests {
  private func envelope(_ key: String) -> Envelope { Envelope(payload: "{}", topic: "", requestId: RequestID(key)) }

  @Test func markIsForItsRequestOrForTheNext() throws {
    let volume = try VolumeFixture()
    let (id, other) = (try JobID("job"), try JobID("other"))
    let ledger = try volume.ledger()
    try CancelMark.put(id, of: "key", by: "ada@host", in: volume.directory)
    #expect(try ledger.canceler(of: envelope("key"), id) == "ada@host")
    #expect(try ledger.canceler(of: envelope("another"), id) == nil)
    #expect(try ledger.canceler(of: envelope("key"), other) == nil)
    try CancelMark.put(id, of: nil, by: "bob@host", in: volume.directory)
    #expect(try ledger.canceler(of: envelope("another"), id) == "bob@host")
    #expect(try CancelMark.names(in: volume.directory) == [id])
    try CancelMark.remove(id, in: volume.directory)
    #expect(try ledger.canceler(of: envelope("another"), id) == nil)
  }

  @Test func oldMarkAndWhatIsNoneMeanNothing() throws {
    let volume = try VolumeFixture()
    let id = try JobID("job")
    let ledger = try volume.ledger()
    try CancelMark.put(id, of: nil, by: "ada@host", in: volume.directory)
    let path = volume.directory.canceled.appending("job.json").path.string
    try #"{"by":"ada@host","made":1000000000}"#.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try ledger.canceler(of: envelope("key"), id) == nil)
    try CancelMark.put(try JobID("new"), of: nil, by: "ada@host", in: volume.directory)
    #expect(try CancelMark.names(in: volume.directory) == [try JobID("new")])
    try "no JSON".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try ledger.canceler(of: envelope("key"), id) == nil)
  }
}
