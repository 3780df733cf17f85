import TestSupport
import Testing

@testable import Jobs
@testable import Volume

/// Workers of other versions and other programs read the files on the volume: their bytes must not change.
struct StoredJSONTests {
  private let process = #"{"bootId":"other","host":"elsewhere","pid":7,"pidNamespace":"pid:[1]","startTime":"1"}"#

  private func text(_ value: some Encodable) throws -> String {
    String(decoding: try compactJSON(value), as: UTF8.self)
  }

  @Test func bytesOfAClaim() throws {
    var request = envelope("job", "order-4711")
    var record = ClaimRecord(
      id: try JobID("job"), attempt: 1, worker: "one", process: .elsewhere, filter: nil, envelope: request)
    let least =
      #"{"attempt":1,"envelope":{"payload":"{\"id\":\"job\"}","requestId":"order-4711","topic":"jobs/pending"},"#
      + #""id":"job","process":\#(process),"worker":"one"}"#
    #expect(try text(record) == least)
    request.responseTopic = "replies/1"
    request.correlationData = [0, 255]
    (record.envelope, record.filter, record.run, record.keyId) = (request, "jobs/pending", "run-1", "key-1")
    #expect(
      try text(record)
        == #"{"attempt":1,"envelope":{"correlationData":[0,255],"payload":"{\"id\":\"job\"}","requestId":"order-4711","#
        + #""responseTopic":"replies/1","topic":"jobs/pending"},"filter":"jobs/pending","id":"job","keyId":"key-1","#
        + #""process":\#(process),"run":"run-1","worker":"one"}"#)
  }

  @Test func bytesOfAMember() throws {
    var member = Member(worker: "one", clientId: "c", filter: "jobs/+", broker: "b:1883", process: .elsewhere)
    let rest = #""filter":"jobs/+","process":\#(process),"state":"present","worker":"one"}"#
    #expect(try text(member) == #"{"broker":"b:1883","clientId":"c",\#(rest)"#)
    member.epoch = "e"
    let bytes = #"{"broker":"b:1883","clientId":"c","epoch":"e",\#(rest)"#
    #expect(try text(member) == bytes)
    let read = try #require(decodedJSON(Member.self, Array("\(bytes)   \n".utf8)))
    #expect(read.isOfSameSession(as: member) && read.process == .elsewhere && read.epoch == "e")
    #expect(decodedJSON(Member.self, Array(bytes.dropLast().utf8)) == nil)
  }
}
