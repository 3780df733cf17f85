import Foundation
import Jobs
import SystemPackage
import Testing

@testable import Steps

@Suite(.timeLimit(.minutes(5))) struct StepProcessTests {
  private let fixture: StepFixture

  init() throws {
    fixture = try StepFixture()
  }

  @Test func aNameIsTheFirstInPATHThatMayBeExecuted() async throws {
    _ = try await fixture.run(
      "mkdir -p a b/tool c d; echo 'echo wrong' > a/tool; for i in c d; do printf '#!/bin/sh\\necho $0' > $i/tool; chmod +x $i/tool; done"
    )
    let folders = ["a", "b", "c", "d"].map { "\(fixture.directory)/\($0)" }.joined(separator: ":")
    let (outcome, text) = try await fixture.run(command(["tool"], path: "/nowhere:\(folders):/bin"))
    #expect(outcome.end == .exited(0))
    #expect(text == "\(fixture.directory)/c/tool\n")
  }

  /// As in execvp(3), a program whose interpreter is missing does not hide another.
  @Test func whatCannotBeExecutedDoesNotHideWhatIsBehindIt() async throws {
    _ = try await fixture.run("mkdir a; printf '#!/no/such/interpreter\\n' > a/echo; chmod +x a/echo")
    let (_, text) = try await fixture.run(command(["echo", "found"], path: "\(fixture.directory)/a:/bin"))
    #expect(text == "found\n")
  }

  @Test(arguments: [".", "", "sub"])
  func whatAJobBringsAlongIsNoProgramByItsNameAlone(folder: String) async throws {
    _ = try await fixture.run("mkdir sub; for i in . sub; do printf '#!/bin/sh\\n' > $i/tool; chmod +x $i/tool; done")
    let error = try await failure(of: command(["tool"], path: "\(folder):/bin"))
    #expect(error?.description.contains("no such program in the folders of PATH (\(folder):/bin)") == true)
  }

  @Test func whoHasNoPATHHasTheSystems() async throws {
    let command = StepCommand(arguments: ["echo", "found"], workingDirectory: fixture.directory, environment: [:])
    #expect(try await fixture.run(command).text == "found\n")
  }

  @Test(arguments: [
    ("#!/no/such/interpreter", "the interpreter in its first line may not be executed"),
    ("neither a program nor a script", "its first line names no interpreter"),
  ])
  func aFileThatCannotBeExecutedIsAnErrorThatSaysWhy(content: String, why: String) async throws {
    // The test must not write this program itself: a child of another test may hold the file open for writing, and exec
    // would fail with ETXTBSY.
    _ = try await fixture.run("echo '\(content)' > tool; chmod +x tool")
    let byPath = try await failure(of: command(["./tool"], path: "/bin"))
    #expect(byPath?.description.contains(why) == true)
    let byName = try await failure(of: command(["tool"], path: "\(fixture.directory)"))
    #expect(byName?.description.contains(why) == true)
  }

  @Test func argumentsThatAreTooLongAreAnErrorThatSaysSo() async throws {
    let text = String(repeating: "x", count: VariableLines.argumentLimit)
    let error = try await failure(of: command(["echo", text], path: "/bin"))
    #expect(error?.description.contains("too long for execve(2)") == true)
    #expect(error?.errno == .argListTooLong)
  }

  private func command(_ arguments: [String], path: String) -> StepCommand {
    StepCommand(arguments: arguments, workingDirectory: fixture.directory, environment: ["PATH": path])
  }

  private func failure(of command: StepCommand) async throws -> SpawnError? {
    let log = try fixture.log(name: "\(UUID().uuidString).log")
    return await #expect(throws: SpawnError.self) {
      try await StepRunner(guardian: nil).run(command, into: log, until: StopRequest())
    }
  }
}
