import ArgumentParser
import CLinux
import Dispatch
import Glibc
import Jobs
import MQTT
import Steps

/// The program.
@main
struct Main {
  /// Starts the one task that everything else runs in, and keeps the first thread for signals.
  ///
  /// It is not `async`: the guardian is forked while there is one thread, and an `async` main leaves the first thread in
  /// sigsuspend(2) with no signal blocked, which would take those that ``Signals`` waits for. So nobody serves the main
  /// queue: a task of the main actor would never run.
  static func main() {
    Guardian.serveIfAsked()
    openStandardStreams()
    // Steps are spawned with the default effect.
    BrokenPipe.isAnError()
    Signals.leaveAtOnce()
    // It opens what it writes to by a name in /proc, which must be this user's still.
    _ = StderrOutput.shared
    // The arguments and the environment may hold the broker's password: from here on nobody else may read them in /proc.
    linux_forbid_inspection()
    let command = parse()
    guard let work = command as? Work else {
      Signals.block(Signals.takeDefaultEffect)
      begin { try await run(command) }
      Signals.listen()
    }
    Secrets.wipe()
    // While there is one thread: see Guardian.
    let guardian = Result { try Guardian.fork() }
    Signals.block { _exit(work.dryRun ? 128 + $0 : 0) }
    begin { try await work.run(guardedBy: guardian.get()) }
    Signals.listen()
  }

  /// Who was started without stdin, stdout or stderr would open something else under that number, and write its log there.
  /// What holds the number serves for nothing: to read or to write there fails as before.
  private nonisolated static func openStandardStreams() {
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) < 0 {
      _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Starts the command's task, which ends the process.
  private nonisolated static func begin(_ command: sending @escaping () async throws -> Void) {
    Task.detached(executorPreference: CommandThread()) {
      do {
        try await command()
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
  }

  /// The command that the arguments ask for; help and usage errors end the program here.
  private static func parse() -> any ParsableCommand {
    // A process for each job pays for the parser: to look through all twelve commands takes it nearly twice as long as to read
    // the default command. What is not plainly that, help and errors included, is for the whole parser.
    if let work = try? Work.parse() { return work }
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

/// The executor of the command's own task (SE-0417), which may wait for the volume.
///
/// A task that blocks keeps its thread, and Swift's pool has one thread for each core. The tasks beside the command's own,
/// which answer commands and look for signals to stop, have the pool to themselves.
final class CommandThread: TaskExecutor {
  private let queue = DispatchQueue(label: "command")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
