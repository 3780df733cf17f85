import Testing

@testable import JobWorker

struct ScriptFileTests {
  @Test(arguments: [
    (["/bin/sh", "-c"], ["/bin/sh"]), (["bash", "-euo", "pipefail", "-c"], ["bash", "-euo", "pipefail"]),
    (["sh", "-ec"], ["sh", "-e"]), (["perl", "-e"], ["perl"]), (["node", "--eval"], ["node"]), (["tool"], ["tool"]),
  ])
  func theOptionThatTakesAScriptIsTakenAway(shell: [String], kept: [String]) throws {
    let file = try ScriptFile("true")
    #expect(file.arguments(for: shell) == kept + [file.path])
  }
}
