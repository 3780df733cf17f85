import ArgumentParser
import Dispatch
import Glibc
import JobWorker

/// The program: a guardian of steps when it is started as one, else the command line.
@main
struct Main {
  static func main() {
    if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "guardian" {
      Guardian.main(marker: CommandLine.arguments[2])
    }
    // Here, before Dispatch has this thread wait with no signal blocked: see the function.
    if Lives.isLater { leaveAtOnceOnStopSignals() }
    Task { await runToTheEnd() }
    dispatchMain()
  }

  private static func runToTheEnd() async -> Never {
    let command = parse()
    do {
      try await run(command)
      exit(0)
    } catch  where RootCommand.exitCode(for: error) != .failure {
      // Help, and settings that the parser itself could not judge.
      RootCommand.exit(withError: error)
    } catch {
      let status = ExitStatus(error)
      if !(error is ExitStatus) { complain("mqtt-fs-worker: \(error)") }
      exit(status.rawValue)
    }
  }

  /// The command that the arguments ask for; help and usage errors end the program here.
  private static func parse() -> any ParsableCommand {
    do {
      // Asked for help in general, the program shows what it does when nothing else is said.
      if ["-h", "--help", "help"].contains(CommandLine.arguments.dropFirst().joined(separator: " ")) {
        throw CleanExit.helpRequest(Work.self)
      }
      return try RootCommand.parseAsRoot()
    } catch {
      RootCommand.exit(withError: error)
    }
  }

  private static func run(_ command: any ParsableCommand) async throws {
    if var command = command as? any AsyncParsableCommand {
      try await command.run()
    } else {
      var command = command
      try command.run()
    }
  }

  private static func complain(_ text: String) {
    let bytes = Array("\(text)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}

/// The commands.
struct RootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mqtt-fs-worker",
    abstract: "Takes one job id from MQTT, runs the job's steps, and publishes the result.",
    subcommands: [Work.self, Check.self, Workers.self, Health.self, Doctor.self],
    defaultSubcommand: Work.self)
}
