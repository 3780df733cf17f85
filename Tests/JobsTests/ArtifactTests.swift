import Foundation
import Testing

@testable import Jobs

struct ArtifactTests {
  @Test func artifactIsAnObjectWithItsPath() throws {
    let artifact = Artifact(path: WorkspacePath("out/a b"), size: 3, mode: "0644", sha256: "ab", change: .modified)
    #expect(
      try json(artifact) == #"{"change":"modified","mode":"0644","path":"out/a b","sha256":"ab","size":3}"#)
  }

  @Test func pathThatIsNotUTF8IsWrittenInBase64() throws {
    let latin1 = WorkspacePath(bytes: [0x6E, 0xE9])
    let artifact = Artifact(path: latin1, size: 0, mode: "0600", sha256: nil, change: .new, storedAs: latin1)
    #expect(
      try json(artifact)
        == #"{"change":"new","mode":"0600","pathBase64":"buk=","size":0,"storedAsBase64":"buk="}"#)
    #expect(try json(SkippedPath(path: latin1, reason: "a FIFO")) == #"{"pathBase64":"buk=","reason":"a FIFO"}"#)
  }

  @Test func deletedPathsAreStringsWhereTheyCanBe() throws {
    let text = String(decoding: try JobResult.sample.encoded(), as: UTF8.self)
    #expect(text.contains("\"old\",\n    {\n      \"pathBase64\" : \"/w==\"\n    }"))
  }

  @Test(arguments: [
    #"{"reason":"x"}"#, #"{"path":1,"reason":"x"}"#, #"{"pathBase64":"%","reason":"x"}"#, #""a""#,
  ])
  func pathThatCannotBeReadIsRefused(text: String) {
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(SkippedPath.self, from: Data(text.utf8)) }
  }

  @Test(arguments: [(0o100_644, "0644"), (0o104_755, "4755"), (0, "0000"), (0o120_777, "0777")] as [(UInt32, String)])
  func modeIsWrittenAsFourOctalDigits(mode: UInt32, text: String) {
    #expect(Artifact.octal(mode) == text)
  }

  private func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
