import Testing

@testable import FileTree

@Suite struct RelativePathTests {
  @Test func bytesThatAreNotTextHaveNoText() {
    #expect(RelativePath(bytes: [0x61, 0xE9]).text == nil)
    #expect(RelativePath(bytes: [0x61, 0xE9]).description == "a\u{FFFD}")
    #expect(RelativePath("é").text == "é")
  }

  @Test func folderAndNameAreTheTwoPartsOfAPath() {
    #expect(RelativePath("a/b/c").folder == Array("a/b".utf8)[...])
    #expect(RelativePath("a/b/c").name == Array("c".utf8)[...])
    #expect(RelativePath("c").folder.isEmpty)
    #expect(RelativePath("c").name == Array("c".utf8)[...])
  }

  @Test func orderIsThatOfBytes() {
    #expect(
      [RelativePath("b"), RelativePath("a/b"), RelativePath("a")].sorted().map(\.description) == ["a", "a/b", "b"])
  }
}
