import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

struct FilterNameTests {
  /// A filter of so many bytes when encoded.
  private func filter(_ count: Int, _ end: String = "") -> String {
    "$share/workers/" + String(repeating: "x", count: count - 21 - end.utf8.count) + end
  }

  @Test func nameIsAsBeforeAsLongAsAFolderCanHaveIt() {
    #expect(FilterName("$share/g/jobs/+").text == "%24share%2Fg%2Fjobs%2F%2B")
    let longest = filter(255)
    #expect(FilterName(longest).text == "%24share%2Fworkers%2F" + longest.dropFirst(15))
    #expect(FilterName(longest).text.utf8.count == 255)
  }

  @Test(arguments: 256...262) func longerNameIsOneThatAFolderCanHave(_ count: Int) throws {
    // The cut may fall anywhere.
    let filters = [filter(count), String(repeating: "é+", count: count), filter(count, "y"), filter(60_000)]
    #expect(Set(filters.map { FilterName($0).text }).count == filters.count)
    for filter in filters {
      let name = FilterName(filter).text
      #expect(name.utf8.count <= 255)
      #expect(!name.prefix { $0 != "~" }.suffix(2).contains("%"))
      let volume = try VolumeFixture()
      try DurableFile.makeFolder(volume.directory.deferredFolder(of: filter))
    }
  }

  @Test func whoLooksAtTheVolumeIsToldTheFilter() throws {
    let volume = try VolumeFixture()
    for filter in [filter(300), filter(60_000), "$share/g/jobs/+", "a~b"] {
      let ledger = try volume.ledger(filter: filter)
      let id = try JobID("job")
      try ledger.deferredQueue.put(envelope("job", "r"), id)
      try ledger.parkedQueue.put(envelope("job", "r"), id)
      let records = JobRecords(volume.directory)
      #expect(try records.waiting().map(\.filter) == [filter])
      #expect(try records.parked().map(\.filter) == [filter])
      #expect(try ApprovalStore(volume.directory).parked().map(\.filter) == [filter])
      let request = try #require(try ApprovalStore(volume.directory).parked().first)
      let approval = Approval(.approved, by: "ada", requestDigest: request.envelope.digest)
      #expect(try ApprovalStore(volume.directory).decide(approval, on: request))
      #expect(try ledger.deferredQueue.requests().count == 2)
      for deferred in try ledger.deferredQueue.requests() { #expect(try ledger.deferredQueue.remove(deferred)) }
    }
  }

  @Test func filterThatSomebodyElseWroteDownIsNotBelieved() throws {
    let (volume, filter) = (try VolumeFixture(), filter(300))
    let ledger = try volume.ledger(filter: filter)
    try ledger.deferredQueue.put(envelope("job", "r"), try JobID("job"))
    let path = volume.directory.state.appending("filters").appending(String(FilterName(filter).text.suffix(64)))
    #expect(volume.text(path) == filter)
    for text in ["jobs/pending", "", "\u{1B}[2J"] {
      try volume.write(text, path)
      let shown = try #require(try JobRecords(volume.directory).waiting().first).filter
      #expect(shown.hasPrefix("$share/workers/xxx") && shown.hasSuffix("x…"))
    }
    // The next worker repairs it.
    _ = try volume.ledger(filter: filter)
    #expect(try JobRecords(volume.directory).waiting().map(\.filter) == [filter])
  }
}
