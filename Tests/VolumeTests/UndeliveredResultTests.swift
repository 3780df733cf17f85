import Testing

@testable import Jobs
@testable import Volume

@Suite struct UndeliveredResultTests {
  @Test func delaysDoubleUpToTenMinutes() throws {
    let id = try JobID("a.1.b")
    let delays = (1...12).map { UndeliveredName(id, tries: $0, at: 0).delay.components.seconds }
    #expect(delays == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600])
    #expect(UndeliveredName(id, tries: 1, at: .max).next == .max)
  }

  @Test(arguments: [1, 7, 999_999]) func nameSaysWhatItIs(_ tries: Int) throws {
    let id = try JobID("a.1.b-c_d.json")
    let name = UndeliveredName(id, tries: tries, at: 1_000_000_000)
    let read = try #require(UndeliveredName(name.text))
    #expect(read.id == id && read.tries == tries && read.next == name.next && !read.isHeld)
    let held = try #require(UndeliveredName(read.held(by: "x1")))
    #expect(held.id == id && held.isHeld && held.unheld == name.text)
  }

  @Test(arguments: ["", "1.json", "1.2.json", "x.1.a.json", "1.-1.a.json", "1.9999999.a.json", "1.1.a", "1.1./.json"])
  func otherNamesAreNone(_ text: String) {
    #expect(UndeliveredName(text) == nil)
  }

  /// The name was made before the volume's clock was set back, or with any number by somebody else.
  @Test func whatLiesTooFarAheadIsDue() throws {
    let id = try JobID("a")
    let now: Int64 = 1_000_000_000_000
    #expect(!UndeliveredName(id, tries: 1, at: now).isDue(at: now))
    #expect(UndeliveredName(id, tries: 1, at: now).isDue(at: now + 2_000_000_000))
    #expect(UndeliveredName(id, tries: 1, at: now + 3600 * 1_000_000_000).isDue(at: now))
    #expect(UndeliveredName("\(Int64.max).1.a.json")?.isDue(at: .min) == true)
    #expect(UndeliveredName("\(Int64.min).1.a.json")?.isDue(at: .max) == true)
  }

  @Test func shorterFormsAreValidAndSayThatTheyAreClipped() throws {
    var message = ResultMessage.rejected(
      id: try JobID("a"), error: String(repeating: "ä", count: 5000), workerID: "worker-01")
    message.tail = "tail"
    let forms = message.shorterForms
    #expect(forms[0] == message)
    #expect(forms.dropFirst().allSatisfy { $0.tail == nil })
    let sizes = try forms.map { try $0.encoded().count }
    #expect(sizes == sizes.sorted(by: >))
    #expect(forms.last?.error?.hasSuffix("(clipped)") == true)
    #expect((forms.last?.error?.utf8.count ?? 0) < 100)
  }
}
