import ArgumentParser
import Testing

@testable import mqtt_fs_worker

/// The program first reads its arguments as those of the default command.
struct DefaultCommandTests {
  private static let commandLines = [
    "", "-i w1 -j jobs --topic $share/g/jobs/# -v 4", "--url=mqtt://host -n me -p x", "-i check",
    "--redact TOKEN --redact KEY --heartbeat 5s --verify-key k.pem", "--dry-run --payload request.json", "-V",
  ]

  @Test(arguments: commandLines) func isWhatTheWholeParserFinds(_ line: String) throws {
    let words = line.split(separator: " ").map(String.init)
    let command = try #require(try RootCommand.parseAsRoot(words) as? Work)
    #expect("\(try Work.parse(words))" == "\(command)")
  }

  @Test func takesNoOtherCommandForItsOwn() {
    for command in RootCommand.configuration.subcommands {
      #expect(throws: (any Error).self) { try Work.parse([command._commandName]) }
    }
  }

  @Test(arguments: ["--help", "-h", "help", "--generate-completion-script bash", "-i", "--nonsense", "x"])
  func leavesTheRestToTheWholeParser(_ line: String) {
    #expect(throws: (any Error).self) { try Work.parse(line.split(separator: " ").map(String.init)) }
  }
}
