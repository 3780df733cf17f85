import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// `mqtt-fs-worker run`, which runs a job folder here.
@Suite struct RunCommandTests {
  private func start(_ scene: Scene, _ folder: FilePath, _ arguments: [String] = []) throws -> ChildProcess {
    let place = scene.files.appending("tmp")
    try FileManager.default.createDirectory(atPath: place.string, withIntermediateDirectories: true)
    return try scene.client(["run", folder.string] + arguments, environment: ["TMPDIR": place.string])
  }

  @Test func outputIsLiveAndTheExitCodeIsTheJobs() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.folder(
        "job", ["steps": ["cat text; echo new > made", scene.held, "echo $SAID; exit 7"]], ["text": "hello\n"])
      let before = scene.listing(folder)
      let run = try start(scene, folder, ["--env", "SAID=bye"])
      try await run.prints("hello\n")
      #expect(run.end == nil)
      try scene.release()
      #expect(try await run.end() == .code(7))
      #expect(run.output == "hello\nbye\n")
      #expect(
        run.errors.contains("run: job job: failed after ") && run.errors.contains("step 2 failed with exit code 7"))
      #expect(scene.listing(folder) == before && scene.volume.isEmpty)
      #expect(scene.listing(scene.files.appending("tmp")).isEmpty)
    }
  }

  @Test func resultsAreKeptOnRequest() async throws {
    try await Scene.play(.down) { scene in
      let run = try start(scene, try scene.folder("job", ["steps": ["echo new > made"]]), ["--keep"])
      #expect(try await run.end() == .code(0), "\(run.errors)")
      let line = try #require(run.errors.split(separator: "\n").first { $0.contains("the results are in ") })
      let results = FilePath(String(line.drop { $0 != "/" }))
      #expect(try String(contentsOfFile: results.appending("made").string, encoding: .utf8) == "new\n")
      #expect(scene.listing(results).contains("result.json"))
    }
  }

  @Test func jobThatIsNotValidDoesNotRun() async throws {
    try await Scene.play(.down) { scene in
      let run = try start(scene, try scene.folder("job", ["steps": [5], "timeout": "soon"]))
      #expect(try await run.end() == .code(65))
      #expect(run.errors.contains("steps[0] is 5") && run.errors.contains("soon") && run.output.isEmpty)
    }
  }

  @Test func interruptEndsTheStep() async throws {
    try await Scene.play(.down) { scene in
      let run = try start(scene, try scene.folder("job", ["steps": ["echo begun; exec sleep 600"]]))
      try await run.prints("begun\n")
      run.send(SIGINT)
      #expect(try await run.end() == .code(130))
      #expect(run.errors.contains("canceled"))
      #expect(scene.listing(scene.files.appending("tmp")).isEmpty)
    }
  }

  @Test func placeThatCannotBeUsedIsNamedByItsVariable() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.folder("job", ["steps": ["true"]])
      let run = try scene.client(["run", folder.string], environment: ["TMPDIR": "\(scene.files)/none"])
      #expect(try await run.end() == .code(73))
      #expect(
        run.errors.contains("/none: No such file or directory; check that the volume is mounted; TMPDIR names another"),
        "\(run.errors)")
    }
  }
}
