import Foundation
import SystemPackage
import TestSupport
import Testing

/// `mqtt-fs-worker sign`.
@Suite struct SignCommandTests {
  /// The middle part of a JWS.
  private func claims(_ request: String) throws -> JSON {
    var part = String(request.split(separator: ".")[1]).replacing("-", with: "+").replacing("_", with: "/")
    while part.count % 4 != 0 { part += "=" }
    return try JSON(try #require(Data(base64Encoded: part)))
  }

  /// The digest equals that of the commands in docs/signing.md, and leaves out the worker's files in the folder.
  @Test func digestIsThatOfFindSortAndSha256sum() async throws {
    try await Scene.play(.down) { scene in
      let key = try await scene.key()
      let folder = try scene.job("job", steps: ["make"], ["a-b": "1", "a/b": "2", "with space": "3"])
      let byHand = try await scene.shell(
        """
        cd '\(folder)'
        find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum |
          openssl dgst -sha256 -binary | openssl base64
        """)
      for leftover in ["", "results/result.json", "results.previous/step_0.log"] {
        if !leftover.isEmpty { try scene.write("x", folder.pushing(FilePath(leftover))) }
        let request = try await scene.sign("job", with: key)
        #expect(try claims(request)["source"].string == "h1:" + byHand.dropLast())
      }
    }
  }

  @Test func optionsGoIntoTheClaims() async throws {
    try await Scene.play(.down) { scene in
      let key = try await scene.key()
      try scene.job("job", steps: ["make"])
      let before = Date().timeIntervalSince1970.rounded(.down)
      let request = try await scene.sign(
        "job", with: key,
        [
          "--aud", "workers", "--aud", "gpu", "--expires", "10m", "--request-id", "order", "--env", "A=b=c",
          "--timeout",
          "90s", "--step", "one", "--step", "two",
        ])
      #expect(!request.contains("\n"))
      let claims = try claims(request)
      #expect(claims["id"] == "job" && claims["jti"] == "order")
      #expect(claims["aud"] == ["workers", "gpu"])
      #expect(claims["env"] == ["A": "b=c"])
      #expect(claims["steps"] == ["one", "two"])
      let (iat, exp) = (try #require(claims["iat"].number), try #require(claims["exp"].number))
      #expect(exp - iat == 600 && iat >= before && iat <= Date().timeIntervalSince1970)
      let second = try await scene.sign("job", with: key)
      #expect(try self.claims(second)["jti"] != self.claims(try await scene.sign("job", with: key))["jti"])
    }
  }

  @Test func jobThatAWorkerWouldRefuseIsNotSigned() async throws {
    try await Scene.play(.down) { scene in
      let key = try await scene.key()
      try scene.job("job", steps: ["make"])
      try scene.write("{", scene.jobs.appending("bad/job.json"))
      let sign = ["sign", "--key", key.signing.string]
      for (arguments, code, word) in [
        (sign + [scene.jobs.appending("bad").string], 65, "job.json"),
        (sign + [scene.jobs.appending("nowhere").string], 65, "does not exist"),
        (sign + ["--id", "../x", "--step", "make"], 65, "\"id\""),
        (sign + [scene.jobs.appending("job").string, "--env", "=value"], 64, "NAME=value"),
        (sign + [scene.jobs.appending("job").string, "--env", "novalue"], 64, "no such variable"),
        (sign, 64, "--step"),
        (["sign", scene.jobs.appending("job").string], 64, "--key"),
        (["sign", "--key", key.verifying.string, scene.jobs.appending("job").string], 78, "PRIVATE KEY"),
        (["sign", "--key", "/nowhere", scene.jobs.appending("job").string], 78, "/nowhere"),
      ] as [([String], Int32, String)] {
        let run = try await scene.run(arguments)
        #expect(run.end == .code(code), "\(arguments): \(run.errors)")
        #expect(run.errors.contains(word), "\(run.errors)")
        #expect(run.output.isEmpty)
      }
    }
  }

  @Test func dryRunTakesASignedRequest() async throws {
    try await Scene.play(.down) { scene in
      let key = try await scene.key()
      try scene.job("job", steps: ["cat input"], ["input": "hello"])
      let payload = scene.files.appending("payload")
      try scene.write(try await scene.sign("job", with: key), payload)
      let dryRun =
        ["--dry-run", "--payload", payload.string, "-j", scene.jobs.string, "-w", scene.workspaces.string]
        + key.arguments
      #expect(try await scene.run(dryRun).end == .code(0))
      #expect(scene.log("job") == "hello")
      try scene.write("changed", scene.jobs.appending("job/input"))
      try scene.write(try await scene.sign("job", with: key), payload)
      try scene.write("again", scene.jobs.appending("job/input"))
      let refused = try await scene.run(dryRun)
      #expect(refused.end == .code(65))
      #expect(refused.output.contains("source-mismatch"))
    }
  }
}
