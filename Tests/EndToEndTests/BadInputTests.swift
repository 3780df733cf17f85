import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// A job folder that is rejected, and the exact sentence about it. `%d` in the sentence stands for the folder.
struct BadJob: Sendable {
  let name: String
  let sentence: String
  /// Makes the folder.
  let make: @Sendable (FilePath) throws -> Void

  init(_ name: String, _ sentence: String, _ make: @escaping @Sendable (FilePath) throws -> Void) {
    self.name = name
    self.sentence = sentence
    self.make = make
  }

  init(_ name: String, text: String, _ sentence: String) {
    self.init(name, sentence) { try text.write(toFile: "\($0)/job.json", atomically: false, encoding: .utf8) }
  }

  static let all =
    [
      BadJob("missing", "%d/job.json does not exist; a job needs its steps in it, or in the request") { _ in },
      BadJob("directory", "%d/job.json is a directory; it must be a file") {
        try FileManager.default.createDirectory(atPath: "\($0)/job.json", withIntermediateDirectories: false)
      },
      BadJob("fifo", "%d/job.json is a FIFO, socket or device; it must be a regular file") {
        mkfifo("\($0)/job.json", 0o644)
      },
      BadJob("link", "%d/job.json is a symbolic link; it must be a regular file") {
        try FileManager.default.createSymbolicLink(atPath: "\($0)/job.json", withDestinationPath: "/etc/hostname")
      },
      BadJob("large", "%d/job.json is larger than 16 MiB") {
        _ = FileManager.default.createFile(atPath: "\($0)/job.json", contents: Data())
        truncate("\($0)/job.json", off_t((16 << 20) + 1))
      },
    ] + texts

  private static let texts = [
    BadJob(
      "not-json", text: "{\n  \"steps\": [\n    \"make\",\n    make test\n]}",
      #"%d/job.json is not JSON: a value is expected, not "make" (line 4, column 5)"#),
    BadJob(
      "empty", text: "", "%d/job.json is not JSON: a value is expected, not the end of the text (line 1, column 1)"),
    BadJob(
      "array", text: "[]",
      #"%d/job.json is an array; an object is expected, like {"steps": ["make"]} (line 1, column 1)"#),
    BadJob(
      "twice", text: #"{"steps": ["a"], "steps": ["b"]}"#,
      #"%d/job.json: the key "steps" is there twice, at line 1, column 2 and at line 1, column 18; keep one"#),
    BadJob(
      "no-steps", text: "{}",
      #"%d/job.json: "steps" is missing; an array of commands is expected, like {"steps": ["make"]} (line 1, column 1)"#
    ),
    BadJob(
      "no-run", text: #"{"steps": ["a", {"name": "b"}]}"#,
      #"%d/job.json: steps[1]: "run" is missing; a step is a string or an object with "run" (line 1, column 17)"#),
    BadJob(
      "null-step", text: #"{"steps": [null]}"#,
      #"%d/job.json: steps[0] is null; a step is a string or an object with "run" (line 1, column 12)"#),
    BadJob(
      "many-steps", text: "{\"steps\": [" + String(repeating: "\"x\",", count: 10_000) + "\"x\"]}",
      #"%d/job.json: "steps" holds 10001 steps; at most 10000 are taken (line 1, column 11)"#),
    BadJob(
      "long-command", text: "{\"steps\": [\"" + String(repeating: "x", count: 2 << 20) + "\"]}",
      """
      %d/job.json: steps[0]: the command is 2097152 bytes; at most 1048576 (1 MiB) are taken; put it into a file of \
      the job's folder (line 1, column 12)
      """),
    BadJob(
      "timeout", text: #"{"steps": ["x"], "timeout": -5}"#,
      """
      %d/job.json: "timeout": -5 is not more than 0; write it like 90s, 10m, 1h30m or 7d, or as a number of seconds \
      (line 1, column 29)
      """),
    BadJob(
      "variable", text: #"{"steps": ["x"], "env": {"A=B": ""}}"#,
      """
      %d/job.json: "env": "A=B" cannot name a variable: it holds a "="; a name like "MODE" is expected \
      (line 1, column 26)
      """),
    BadJob(
      "up", text: #"{"steps": [{"run": "x", "workingDirectory": "../.."}]}"#,
      """
      %d/job.json: steps[0]: "workingDirectory" "../.." holds ".."; a path within the workspace is expected, like \
      "src" (line 1, column 45)
      """),
  ]
}

/// A fault on the volume, and the answer to the sender.
@Suite struct BadInputTests {
  @Test func badJobsAreRejectedWithASentenceEach() async throws {
    try await Scene.play { scene in
      for job in BadJob.all {
        let folder = scene.jobs.appending(job.name)
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        try job.make(folder)
      }
      try scene.job("good", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      let before = scene.volume
      for job in BadJob.all {
        results.clear()
        try await scene.send(job.name)
        let answer = try await results.message(on: "jobs/results/\(job.name)")
        #expect(answer.json["status"] == "rejected")
        #expect(answer.retention == .notRetained)
        let sentence = job.sentence.replacing("%d", with: scene.jobs.appending(job.name).string)
        #expect(answer.json["error"] == .string(sentence), "\(job.name)")
      }
      #expect(worker.process.end == nil)
      #expect(scene.volume == before)
      #expect(scene.claims.isEmpty && scene.workspacesLeft.isEmpty)
      try await scene.send("good")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("good")["status"] == "success")
    }
  }

  @Test(arguments: ["file", "link", "fifo"])
  func resultsThatAreNoFolderAreAnErrorBeforeAnyStep(_ kind: String) async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: [.string("touch \(scene.gate("ran"))")])
      let place = folder.appending("results").string
      switch kind {
      case "file": try scene.write("mine", FilePath(place))
      case "link": try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: scene.files.string)
      default: mkfifo(place, 0o644)
      }
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      let message = try await results.message()
      #expect(try await worker.end() == .code(0))
      #expect(message.json["status"] == "error")
      #expect(
        message.json["error"]
          == .string(
            "\(place) cannot be used for results: Not a directory; it must be a folder that the worker can write, "
              + "or not exist"))
      #expect(message.json["manifestFile"] == .null)
      #expect(!FileManager.default.fileExists(atPath: scene.gate("ran").string))
      #expect(scene.volume == ["job/", "job/job.json", "job/results"])
    }
  }

  @Test(arguments: ["out", "out/deeper", "nowhere"])
  func workingDirectoryThatIsNoneOfTheWorkspaceIsRefused(_ path: String) async throws {
    try await Scene.play { scene in
      let outside = scene.files.appending("outside")
      try scene.write("", outside.appending("deeper/file"))
      let folder = try scene.job(
        "job", steps: [["run": "touch here", "workingDirectory": .string(path)]], ["file": ""])
      try FileManager.default.createSymbolicLink(
        atPath: folder.appending("out").string, withDestinationPath: outside.string)
      let result = try await scene.outcome()
      #expect(result["status"] == "error")
      #expect(result["phase"] == "run")
      #expect(
        result["error"]
          == .string("steps[0]: workingDirectory \"\(path)\" is not a folder inside the job's workspace"))
      #expect(result["steps"][0]["status"] == "error")
      #expect(scene.listing(outside) == ["deeper/", "deeper/file"])
    }
  }

  @Test func workingDirectoryOverALinkWithinTheWorkspaceIsTaken() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: [["run": "ls", "workingDirectory": "link"]], ["src/file": ""])
      try FileManager.default.createSymbolicLink(atPath: folder.appending("link").string, withDestinationPath: "src")
      #expect(try await scene.outcome()["status"] == "success")
      #expect(scene.log("job") == "file\n")
    }
  }

  @Test func commandThatIsTooLongForAnArgumentRuns() async throws {
    try await Scene.play { scene in
      let padding = String(repeating: "# padding\n", count: 50_000)
      try scene.job("job", steps: [.string("echo first\n\(padding)echo last; ls -a; exit 4")])
      let result = try await scene.outcome()
      #expect(result["exitCode"] == 4)
      #expect(scene.log("job").hasPrefix("first\nlast\n"))
      #expect(result["artifacts"] == [] && result["skipped"] == [])
    }
  }

  @Test func hundredsOfStepsRunInOrder() async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": .array((0..<300).map { "echo \($0)" })])
      let result = try await scene.outcome()
      #expect(result["steps"].elements.count == 300)
      #expect(scene.log("job", step: 299) == "299\n")
    }
  }
}
