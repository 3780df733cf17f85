import ArgumentParser
import CLinux
import Glibc
import JobWorker

/// The program.
@main
struct Main {
  static func main() async {
    linux_allocate_sparingly()
    // Here, on the first thread, before Dispatch has it wait with no signal blocked: see the function.
    StopSignals.leaveAtOnce()
    let command = parse()
    if (command as? Work)?.dryRun != false { StopSignals.restoreDefault() }
    do {
      if let work = command as? Work {
        // The guardian shows in /proc what this process shows: no password may be there any more.
        Secrets.wipe()
        // While there is one thread: see Guardian.
        try await work.run(guardedBy: try Guardian.fork())
      } else {
        try await run(command)
      }
      end(0)
    } catch  where RootCommand.exitCode(for: error) != .failure {
      // Help, and settings that the parser itself could not judge.
      RootCommand.exit(withError: error)
    } catch {
      let status = ExitStatus(error)
      if !(error is ExitStatus) { complain("mqtt-fs-worker: \(error)") }
      end(status.rawValue)
    }
  }

  /// The command that the arguments ask for; help and usage errors end the program here.
  private static func parse() -> any ParsableCommand {
    if let work = Work(plain: CommandLine.arguments.dropFirst()) { return work }
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

  /// Ends the process without waiting for its threads: what must be safe is safe by now.
  private static func end(_ status: Int32) -> Never {
    fflush(nil)
    _exit(status)
  }
}

/// Says something on stderr, where no log is.
func complain(_ text: String) {
  let bytes = Array("\(text)\n".utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// The commands.
struct RootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mqtt-fs-worker",
    abstract: "Takes one job id from MQTT, runs the job's steps, and publishes the result.",
    subcommands: [
      Work.self, Check.self, Submit.self, Jobs.self, Status.self, Logs.self, Cancel.self, Approve.self, Sign.self,
      Workers.self,
      Health.self, Doctor.self,
    ],
    defaultSubcommand: Work.self)
}
