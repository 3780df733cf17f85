import Foundation
import SystemPackage
import Testing

@testable import Steps

struct StepCommandTests {
  @Test(arguments: [
    (["/bin/sh", "-c"], ["/bin/sh"]), (["bash", "-euo", "pipefail", "-c"], ["bash", "-euo", "pipefail"]),
    (["sh", "-ec"], ["sh", "-e"]), (["perl", "-e"], ["perl"]), (["node", "--eval"], ["node"]), (["tool"], ["tool"]),
  ])
  func theOptionThatTakesAScriptIsTakenAway(shell: [String], kept: [String]) throws {
    let fixture = try StepFixture()
    let file = try ScriptFile("true", in: fixture.directory)
    #expect(file.arguments(for: shell) == kept + [file.path])
  }

  @Test func theFileIsForItsOwnerAndGoneWithTheScript() throws {
    let fixture = try StepFixture()
    try withExtendedLifetime(try ScriptFile("echo é", in: fixture.directory)) { file in
      #expect(try String(contentsOfFile: file.path, encoding: .utf8) == "echo é")
      let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory.string).isEmpty)
  }
}
