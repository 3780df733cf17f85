import Client
import Jobs
import TestSupport
import Testing
import Volume

@Suite struct ProposalTests {
  @Test func whatIsApprovedIsWhatTheFolderSaysNow() throws {
    let volume = try VolumeFixture()
    let ledger = try volume.ledger()
    try volume.job("job", #"{"steps": ["one"], "requireApproval": true}"#)
    try ledger.parkedQueue.put(envelope("job", "r"), JobID("job"))
    let parked = try #require(try ledger.approvals.parked().first)
    let first = try parked.proposal()
    #expect(first.definition.steps.map(\.run) == ["one"] && first.definition.requiresApproval)
    try volume.job("job", #"{"steps": ["two"]}"#)
    let second = try parked.proposal()
    #expect(second.definition.steps.map(\.run) == ["two"])
    #expect(first.definitionDigest != nil && first.definitionDigest != second.definitionDigest)
  }
}
