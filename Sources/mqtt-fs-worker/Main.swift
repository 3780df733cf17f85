import ArgumentParser
import CLinux
import FileTree
import Glibc
import Jobs
import MQTT
import Settings
import Steps
import Volume

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
    SystemCheck.run()
    // SIGPIPE. Steps are spawned with the default effect.
    BrokenPipe.isAnError()
    Signals.leaveAtOnce()
    // Open stderr by its name in /proc while this user still may: see below.
    _ = StderrOutput.shared
    // The arguments and the environment may hold the broker's password: from here on other processes cannot read them
    // in /proc (proc(5)).
    linux_forbid_inspection()
    let command = parse()
    guard let work = command as? any GuardedCommand else {
      Signals.block(Signals.takeDefaultEffect)
      begin { try await run(command) }
      Signals.waitForEver()
    }
    Secrets.wipe()
    // While there is one thread: see ``Guardian``.
    let guardian = Result { try Guardian.fork() }
    let isPersonal = work.isPersonal
    Signals.block { number in
      if number == SIGINT, getpid() != 1 { Signals.takeDefaultEffect(number) }
      _exit(isPersonal ? 128 + number : 0)
    }
    begin { try await work.run(guardedBy: guardian.get()) }
    Signals.waitForEver()
  }

  /// Opens /dev/null for each closed standard stream, so that no later file gets its number. Its access mode is the
  /// wrong one: reading or writing still fails.
  private nonisolated static func openStandardStreams() {
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) < 0 {
      _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Starts the command's task, which ends the process. It has a thread of its own: it may block on the volume.
  private nonisolated static func begin(_ command: sending @escaping () async throws -> Void) {
    Task.detached(executorPreference: TaskThread("command")) {
      do {
        try await command()
        end(0)
      } catch let status as ExitStatus {
        // ArgumentParser would make all of its help to tell what the error is.
        end(with: status)
      } catch  where RootCommand.exitCode(for: error) != .failure {
        // Help, and settings that are checked after the parsing.
        exit(by: error)
      } catch {
        end(with: error)
      }
    }
  }

  /// Parses the command; help and usage errors end the program here.
  private static func parse() -> any ParsableCommand {
    do { try checkEncoding() } catch { exit(by: error) }
    // A one-shot worker pays for the parser with each job: with all commands it takes nearly twice as long as with
    // the default command. So try the default command first; all else, with help and errors, goes to the whole
    // parser.
    if let work = try? Work.parse() { return work }
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      if ["-h", "--help", "help"].contains(arguments.joined(separator: " ")) {
        throw CleanExit.message(String(GeneralHelp.text.dropLast()))
      }
      return try RootCommand.parseAsRoot()
    } catch {
      if RootCommand.exitCode(for: error) == .validationFailure, let advice = GeneralHelp.advice(on: arguments) {
        complain("mqtt-fs-worker: \(advice)")
        end(ExitStatus.usage.rawValue)
      }
      let isForShell = arguments.first?.hasPrefix("--generate-completion-script") ?? false
      if isForShell, RootCommand.exitCode(for: error) == .success {
        let script = RootCommand.fullMessage(for: error)
        exit(by: CleanExit.message(CompletionScript.mended(script)))
      }
      exit(by: Secrets.usageError(error))
    }
  }

  /// Swift replaces what is not UTF-8 in an argument: it would be another path, or another value.
  private static func checkEncoding() throws {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else { continue }
      // The value of a variable may be a secret.
      let shown = SecretArguments.masked(CommandLine.arguments)[index].prefix { $0 != "=" }
      throw ValidationError(
        "argument \(index), '\(String(shown).escaped(upTo: 200))', is not UTF-8: give it another name, or change to that folder and "
          + "name it '.'")
    }
  }

  /// Ends the program with help, or with a usage error. ArgumentParser does not notice that help cannot be written.
  private static func exit(by error: any Error) -> Never {
    guard RootCommand.exitCode(for: error) == .success else { RootCommand.exit(withError: error) }
    do {
      try Output.write("\(RootCommand.fullMessage(for: error))\n")
      end(0)
    } catch {
      end(with: error)
    }
  }

  /// Tells the error, if it is none that has been told, and ends the program with its status.
  private static func end(with error: any Error) -> Never {
    if let status = error as? ExitStatus { end(status.rawValue) }
    complain("mqtt-fs-worker: \(error)")
    end(ExitStatus(error).rawValue)
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
    if [0, ExitStatus.terminated.rawValue].contains(status) { Signals.endInterrupted() }
    _exit(status)
  }
}

/// A command that runs steps: its guardian must be forked before there are threads.
protocol GuardedCommand: ParsableCommand {
  /// Whether a person runs it for its outcome, and no supervisor.
  var isPersonal: Bool { get }

  /// Called instead of `run()`.
  func run(guardedBy guardian: Guardian) async throws
}

/// The commands.
struct RootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mqtt-fs-worker",
    abstract: "Takes one job id from MQTT, runs the job's steps, and publishes the result.",
    subcommands: [
      Work.self, Check.self, Submit.self, Retry.self, Run.self, Jobs.self, Status.self, Logs.self, Cancel.self,
      Approve.self,
      Sign.self,
      Workers.self, Drain.self, Prune.self, Cache.self, Health.self, Doctor.self,
    ],
    defaultSubcommand: Work.self)
}
