import ArgumentParser
import Testing

@testable import mqtt_fs_worker

struct PlainArgumentsTests {
  private static let commandLines = [
    "", "-i w1 -j jobs --topic $share/g/jobs/# -v 4", "--url=mqtt://host -n me -p x",
    "--clean --no-retain --jobs 0 --require-approval",
    "--redact TOKEN --heartbeat 5s --verify-key k.pem", "--dry-run --payload request.json", "--log-level debug -V",
  ]

  @Test(arguments: commandLines) func aPlainLineMeansWhatTheParserTakesItFor(_ line: String) throws {
    let words = line.split(separator: " ").map(String.init)
    let plain = try #require(Work(plain: words))
    #expect("\(plain)" == "\(try Work.parse(words))")
  }

  @Test func everyOptionIsSet() throws {
    let plain = try #require(Work(plain: []))
    #expect(!"\(plain)".contains("definition"), "an option has no line in PlainArguments.swift")
  }

  @Test(arguments: [
    "--help", "check jobs/a", "work", "-i", "-i a -i b", "--id --clean", "--clean yes", "--jobs many",
    "--redact A --redact B",
    "--nonsense", "-- x", "x", "-p=x", "--password-file= --lease 1m",
  ])
  func whatIsNotPlainIsForTheParser(_ line: String) {
    #expect(Work(plain: line.split(separator: " ").map(String.init)) == nil)
  }
}
