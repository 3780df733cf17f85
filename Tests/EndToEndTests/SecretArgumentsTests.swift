import TestSupport
import Testing

@testable import Settings
@testable import mqtt_fs_worker

/// An error about invalid arguments does not repeat a password.
@Suite struct SecretArgumentsTests {
  @Test(arguments: [
    "-pSECRET", "-p=SECRET", "-PSECRET", "-P SECRET", "-p -SECRET", "-p --SECRET", "--password=SECRET --nonsense",
    "--password SECRET SECOND", "--passwd SECRET", "--Password SECRET", "--pw SECRET", "--pw=SECRET", "--pass SECRET",
    "check jobs/a -p SECRET", "submit -pSECRET jobs/a", "workers -n me -PSECRET", "doctor --password -SECRET",
    "-u mqtt://me:SECRET@host:x", "--url=mqtt://me:SECRET@h --nonsense", "mqtt://me:SECRET@h",
    "-u me:SECRET@h:port", "work -pSECRET", "-p SECRET -pSECRET", "--password-files SECRET",
  ])
  func passwordIsInNoUsageError(_ line: String) async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run(line.split(separator: " ").map(String.init))
      #expect(run.end == .code(64), "\(run.errors)")
      #expect(!(run.errors + run.output).contains("SECRET"), "\(run.errors)")
      #expect(!run.errors.isEmpty)
    }
  }

  @Test func whatIsNoPasswordIsShown() {
    let arguments = [
      "-u", "mqtt://host", "-n", "me", "--password-file", "f", "--step", "git@host:x", "a=b@c", "--port=1",
    ]
    #expect(SecretArguments.masked(arguments) == arguments)
    #expect(SecretArguments.masked(["-p", "a", "-x", "--url=mqtt://u:p@h"]) == ["-p", "…", "-x", "--url=…@h"])
  }
}
