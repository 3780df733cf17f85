import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// `mqtt-fs-worker check`, which finds the faults of a job before it is sent.
@Suite struct CheckCommandTests {
  @Test func goodJobIsGoodAndStaysAsItIs() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.job(
        "job", steps: ["make", ["run": "make test", "workingDirectory": "src"]], ["src/a": ""])
      let before = scene.listing(scene.root).filter { $0.hasPrefix("jobs") || $0.hasPrefix("workspaces") }
      for (argument, directory) in [(folder.string, scene.root), ("\(folder)/", scene.root), (".", folder)] {
        let run = try await scene.run(["check", argument], in: directory)
        #expect(run.end == .code(0), "\(run.errors)")
        #expect(run.output.hasPrefix("\(argument): 2 steps, nothing wrong\nstaged: 2 files, "))
        #expect(run.output.hasSuffix("0 B         src/a\n"))
        #expect(run.errors.isEmpty)
      }
      #expect(scene.listing(scene.root).filter { $0.hasPrefix("jobs") || $0.hasPrefix("workspaces") } == before)
    }
  }

  @Test func whatIsWrongIsToldWithItsPlace() async throws {
    try await Scene.play(.down) { scene in
      let texts = [
        (
          "{\n  \"steps\": [\n    \"make\"\n    \"make test\"\n]}",
          #"/job.json is not JSON: a "," or "]" is expected, not a double quote (line 4, column 5)"#
        ),
        (
          "{\"steps\": [\"make\", {\n \"run\": 5}]}",
          #"/job.json: steps[1]: "run" is 5; a string is expected, like "make" (line 2, column 9)"#
        ),
        (
          #"{"steps": ["make"], "timeout": "soon"}"#,
          #"/job.json: "timeout": "soon" is not a duration; write it like 90s, 10m, 1h30m or 7d, or as a number of "#
            + "seconds (line 1, column 32)"
        ),
      ]
      for (text, sentence) in texts {
        let folder = scene.jobs.appending("bad")
        try scene.write(text, folder.appending("job.json"))
        let run = try await scene.run(["check", folder.string])
        #expect(run.end == .code(65))
        #expect(run.output == "error: \(folder)\(sentence)\n")
      }
    }
  }

  @Test func folderThatIsNoJobIsToldSo() async throws {
    try await Scene.play(.down) { scene in
      try FileManager.default.createDirectory(
        atPath: scene.jobs.appending("empty").string, withIntermediateDirectories: true)
      try scene.job("a job", steps: ["true"])
      try scene.write("", scene.jobs.appending("file"))
      try scene.write("", scene.jobs.appending("pipe/x"))
      mkfifo(scene.jobs.appending("pipe/job.json").string, 0o644)
      for (name, words) in [
        ("empty", ["empty/job.json does not exist"]), ("a job", ["the folder's name is the job's id", "a space"]),
        ("file", ["file", "folder"]), ("nowhere", ["nowhere does not exist"]), ("pipe", ["pipe/job.json is a FIFO"]),
      ] {
        let run = try await scene.run(["check", scene.jobs.appending(name).string])
        #expect(run.end == .code(65), "\(name)")
        #expect(run.output.hasPrefix("error: "), "\(name)")
        #expect(run.output.split(separator: "\n").count == 1)
        for word in words { #expect(run.output.contains(word), "\(run.output)") }
      }
    }
  }

  @Test func eachEntryOfAListIsLookedAt() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.job("job", steps: ["true"])
      let lists = #""required": ["!x", "[a", "./dist", "ok"], "exclude": ["[b", "[c"]"#
      let text = #"{"steps": ["true"], "env": {"A": 1, "B": true, "C": "fine", "D": null}, "artifacts": {\#(lists)}}"#
      try scene.write(text, folder.appending("job.json"))
      let run = try await scene.run(["check", folder.string])
      #expect(run.end == .code(65))
      for place in [#""A""#, #""B""#, #""D""#, "[a", "./dist", "!x", "[b", "[c"] {
        #expect(run.output.contains(place), "\(place): \(run.output)")
      }
      #expect(!run.output.contains("fine") && run.output.contains("8 errors"), "\(run.output)")
    }
  }

  @Test func whatMayNotBeMeantIsAWarning() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.job(
        "job", ["steps": ["make", ["run": "ls", "workingDirectory": "made", "cwd": "x"]], "tiemout": 5])
      let run = try await scene.run(["check", folder.string])
      #expect(run.end == .code(0))
      let lines = run.output.split(separator: "\n").map(String.init)
      #expect(lines.prefix(3).allSatisfy { $0.hasPrefix("warning: ") })
      #expect(lines.count == 6 && lines[3].hasSuffix("3 warnings"))
      for word in [
        #"tiemout is unknown and has no effect; did you mean "timeout"? (line 1, column"#,
        #"steps[1].cwd is unknown and has no effect; did you mean "workingDirectory"? (line 1, column"#,
        #"steps[1]: workingDirectory "made" is not in the folder"#,
      ] {
        #expect(run.output.contains(word), "\(run.output)")
      }
    }
  }

  @Test func allErrorsAreToldAtOnce() async throws {
    try await Scene.play(.down) { scene in
      let folder = scene.jobs.appending("a job")
      try scene.write(
        """
        {"steps": ["make", 5, {"run": "", "retries": 99, "nmae": "x"}],
         "timeout": "soon", "stepps": [],
         "artifacts": {"include": 1, "required": [2]}, "cache": [{"key": ""}, {"key": "a"}], "maxAttempts": 0}
        """, folder.appending("job.json"))
      let run = try await scene.run(["check", folder.string])
      #expect(run.end == .code(65))
      let lines = run.output.split(separator: "\n").map(String.init)
      let places = [
        "the folder's name is the job's id", "steps[1] is 5", "steps[2]: the command is empty",
        #"steps[2]: "retries" is 99"#, #""timeout": "soon""#, #""artifacts": "include" is 1"#,
        #""artifacts": "required": [0] is 2"#, #"cache[0]: "key""#, #"cache[1]: "paths""#, #""maxAttempts" is 0"#,
      ]
      let errors = lines.filter { $0.hasPrefix("error: ") }
      #expect(errors.count == places.count, "\(run.output)")
      for (line, place) in zip(errors, places) { #expect(line.contains(place), "\(line)") }
      for (key, meant, line) in [("steps[2].nmae", "name", 1), ("stepps", "steps", 2)] {
        let warning = "the key \(key) is unknown and has no effect; did you mean \"\(meant)\"? (line \(line), column "
        #expect(lines.contains { $0.hasPrefix("warning: ") && $0.contains(warning) }, "\(run.output)")
      }
      #expect(lines.last == "\(folder): 10 errors, 2 warnings")
    }
  }

  @Test func submitTellsAllErrorsToo() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.folder("job", ["steps": [5], "timeout": "soon"])
      let submit = try scene.submit(folder)
      #expect(try await submit.end() == .code(65))
      #expect(submit.errors.contains("steps[0] is 5") && submit.errors.contains(#""timeout": "soon""#))
    }
  }

  @Test func withoutAFolderItIsAUsageError() async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run(["check"])
      #expect(run.end == .code(64))
      #expect(run.errors.contains("job folder"))
    }
  }
}
