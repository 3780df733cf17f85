import ArgumentParser
import CLinux
import Dispatch
import Glibc
import MQTT
import Steps

/// The program.
@main
struct Main {
  /// Starts the command's task, and keeps the first thread for signals.
  ///
  /// It is not `async`: the guardian must be forked while there is one thread, and an `async` main leaves the first
  /// thread in sigsuspend(2) with no signal blocked, which would take the signals that ``Signals`` waits for. So no
  /// thread serves the main queue: a task on the main actor would never run.
  static func main() {
    Guardian.serveIfAsked()
    openStandardStreams()
    // SIGPIPE. Steps are spawned with the default effect.
    BrokenPipe.isAnError()
    Signals.leaveAtOnce()
    // Open stderr by its name in /proc while this user still may: see below.
    _ = StderrOutput.shared
    // The arguments and the environment may hold the broker's password: from here on other processes cannot read them
    // in /proc (proc(5)).
    linux_forbid_inspection()
    let command = parse()
    guard let work = command as? Work else {
      Signals.block(Signals.takeDefaultEffect)
      begin { try await run(command) }
      Signals.listen()
    }
    Secrets.wipe()
    // While there is one thread: see ``Guardian``.
    let guardian = Result { try Guardian.fork() }
    Signals.block { _exit(work.dryRun ? 128 + $0 : 0) }
    begin { try await work.run(guardedBy: guardian.get()) }
    Signals.listen()
  }

  /// Opens /dev/null for each closed standard stream, so that no later file gets its number. Its access mode is the
  /// wrong one: reading or writing still fails.
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
        // Help, and settings that are checked after the parsing.
        RootCommand.exit(withError: error)
      } catch {
        let status = ExitStatus(error)
        if !(error is ExitStatus) { complain("mqtt-fs-worker: \(error)") }
        end(status.rawValue)
      }
    }
  }

  /// Parses the command; help and usage errors end the program here.
  private static func parse() -> any ParsableCommand {
    // A one-shot worker pays for the parser with each job: with all twelve commands it takes nearly twice as long as
    // with the default command. So try the default command first; all else, with help and errors, goes to the whole
    // parser.
    if let work = try? Work.parse() { return work }
    do {
      // General help is the help of the default command.
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

  /// Ends the process without waiting for its threads: all data is safe by now.
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

/// The executor of the command's own task (SE-0417), which may block on the volume.
///
/// A blocking task keeps its thread, and Swift's pool has only one thread for each core. The other tasks, which answer
/// commands and react to signals, have the pool to themselves.
final class CommandThread: TaskExecutor {
  private let queue = DispatchQueue(label: "command")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
