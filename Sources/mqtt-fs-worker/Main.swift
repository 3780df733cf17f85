import ArgumentParser
import CLinux
import Glibc
import JobWorker
import MQTT

/// The program.
@main
struct Main {
  /// Starts the one task that everything else runs in, and keeps the first thread for signals.
  ///
  /// It is not `async`: the guardian is forked while there is one thread, and an `async` main leaves the first thread in
  /// sigsuspend(2) with no signal blocked, which would take those that ``StopSignals`` waits for. So nobody serves the main
  /// queue: a task of the main actor would never run.
  static func main() {
    Guardian.serveIfAsked()
    openStandardStreams()
    // Steps are spawned with the default effect.
    BrokenPipe.isAnError()
    StopSignals.leaveAtOnce()
    // While there is one thread, and little in memory: see Guardian. Nobody may look into it before it has forgotten what it
    // was started with.
    if startsWorker {
      // It opens what it writes to by a name in /proc, which must be this user's still.
      _ = StderrOutput.shared
      linux_forbid_inspection()
    }
    let guardian = startsWorker ? Result { try Guardian.fork() } : nil
    let command = parse()
    let isWorker = command is Work
    if let work = command as? Work {
      Secrets.wipe()
      StopSignals.block { work.dryRun ? 128 + $0 : 0 }
    } else {
      StopSignals.restoreDefault()
    }
    Task.detached(executorPreference: CommandThread()) { await run(command, guardedBy: guardian) }
    if isWorker { StopSignals.listen() }
    while true { pause() }
  }

  /// Who was started without stdin, stdout or stderr would open something else under that number, and write its log there.
  /// What holds the number serves for nothing: to read or to write there fails as before.
  private nonisolated static func openStandardStreams() {
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) < 0 {
      _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  private static func run(_ command: any ParsableCommand, guardedBy guardian: Result<Guardian, any Error>?) async {
    do {
      if let work = command as? Work {
        guard let guardian else { preconditionFailure("the worker has no guardian") }
        try await work.run(guardedBy: try guardian.get())
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

  /// Whether the first argument is none of another command.
  private static var startsWorker: Bool {
    guard CommandLine.argc > 1, let first = CommandLine.unsafeArgv[1] else { return true }
    return first.pointee == CChar(UInt8(ascii: "-")) || strcmp(first, "work") == 0
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
      RootCommand.exit(withError: Secrets.usageError(error))
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
    StderrOutput.shared.flush(within: .milliseconds(300))
    fflush(nil)
    _exit(status)
  }
}

/// Says something on stderr, where no log is: one line, of what prints.
func complain(_ text: String) {
  StderrOutput.shared.put(Array("\(text.onOneLine)\n".utf8))
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
