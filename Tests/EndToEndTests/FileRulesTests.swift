import Foundation
import SystemPackage
import TestSupport
import Testing

/// What a job says of its files: what is staged, and what comes back.
@Suite struct FileRulesTests {
  /// Runs a job without a broker whose job.json has these members, and returns its result.
  private func result(
    _ scene: Scene, _ members: String, steps: [String], prepare: (FilePath) throws -> Void = { _ in }
  ) async throws -> JSON {
    let folder = scene.jobs.appending("job")
    let list = String(decoding: try JSONEncoder().encode(steps), as: UTF8.self)
    try scene.write("{\"steps\": \(list), \(members)}", folder.appending("job.json"))
    try prepare(folder)
    let payload = scene.files.appending("payload.json")
    try scene.write("{\"id\": \"job\"}", payload)
    let run = try await scene.run(
      ["--dry-run", "--payload", payload.string, "-j", scene.jobs.string, "-w", scene.workspaces.string])
    #expect(run.end != .code(65), "\(run.errors)")
    return scene.result("job")
  }

  @Test func excludedFilesAreNotStagedAndNotToldAsDeleted() async throws {
    try await Scene.play(.down) { scene in
      let result = try await result(
        scene, #""stage": {"exclude": ["*.iso", "/data/raw/"]}"#,
        steps: ["find . -type f | LC_ALL=C sort > ../seen; mv ../seen ."]
      ) { folder in
        for path in ["a.iso", "deep/b.iso", "data/raw/x", "data/y", "lib/data/raw/z"] {
          try scene.write(path, folder.pushing(FilePath(path)))
        }
      }
      #expect(result["status"] == "success")
      #expect(result["deleted"].elements.count == 0)
      #expect(
        scene.text("job", "results/seen") == "./data/y\n./job.json\n./lib/data/raw/z\n")
    }
  }

  @Test func artifactsAreWhatIsIncludedLessWhatIsExcluded() async throws {
    try await Scene.play(.down) { scene in
      let result = try await result(
        scene,
        #""artifacts": {"include": ["dist/", "report.xml", "gone"], "exclude": ["node_modules/", "*.o"]}"#,
        steps: [
          "mkdir -p dist/node_modules dist/empty lib; touch dist/app dist/a.o dist/node_modules/x lib/y lib/report.xml",
          "rm gone kept",
        ]
      ) { folder in
        for path in ["gone", "kept"] { try scene.write(path, folder.appending(path)) }
      }
      #expect(
        (0..<result["artifacts"].elements.count).map { result["artifacts"][$0]["path"] } == [
          "dist/app", "lib/report.xml",
        ])
      #expect(result["deleted"].elements.count == 1 && result["deleted"][0] == "gone")
      #expect(
        scene.results() == [
          "dist/", "dist/app", "dist/empty/", "lib/", "lib/report.xml", "result.json", "step_0.log", "step_1.log",
        ])
    }
  }

  @Test func missingRequiredArtifactFailsASuccessfulJob() async throws {
    try await Scene.play(.down) { scene in
      let result = try await result(
        scene, #""artifacts": {"required": ["job.json", "dist/*.js"]}"#, steps: ["mkdir dist; touch dist/app.ts"])
      #expect(result["status"] == "failed")
      #expect(result["reason"] == "artifact-missing")
      #expect(result["exitCode"] == 1)
      #expect(result["error"].string?.contains("dist/*.js") == true)
    }
  }

  @Test func changedModeIsAChangeAndComesBack() async throws {
    try await Scene.play(.down) { scene in
      let result = try await result(scene, #""env": {}"#, steps: ["chmod 755 tool; chmod 711 folder"]) { folder in
        try scene.write("content", folder.appending("tool"))
        try scene.write("x", folder.appending("folder").appending("x"))
      }
      #expect(result["artifacts"].elements.count == 1)
      #expect(result["artifacts"][0]["path"] == "tool")
      #expect(result["artifacts"][0]["change"] == "mode")
      #expect(result["artifacts"][0]["mode"] == "0755")
      #expect(scene.text("job", "results/tool") == "content")
      #expect(scene.results().contains("folder/") && !scene.results().contains("folder/x"))
    }
  }

  @Test(arguments: [
    (#""stage": {"exclude": ["ok", "[a"]}"#, #"exclude": [1]"#), (#""stage": ["x"]"#, "an object is expected"),
    (#""artifacts": {"include": "dist"}"#, "an array of strings"), (#""artifacts": {"required": ["!a"]}"#, "negated"),
    (#""artifacts": {"include": ["./dist"]}"#, "component '.'"), (#""cache": [{"key": "a"}]"#, #""paths" is missing"#),
    ("\"artifacts\": {\"include\": [\"\(String(repeating: "a", count: 4097))\"]}", "4097 bytes"),
    (
      "\"stage\": {\"exclude\": [\((0..<900).map { "\"\(String(repeating: "a", count: 80))\($0)\"" }.joined(separator: ","))]}",
      "64 KiB"
    ),
    (#""cache": [{"paths": ["a"]}]"#, #""key" is missing"#),
    (#""cache": [{"key": "a", "paths": ["../a"]}]"#, #"holds ".."#),
    (#""cache": [{"key": "a", "paths": ["/root/.npm"]}]"#, "not in the workspace"),
    (#""cache": [{"key": "a", "paths": ["b", "b/c"]}]"#, "overlap"),
    (#""cache": [{"key": "a", "paths": ["b"]}, {"key": "a", "paths": ["c"]}]"#, "twice"),
  ])
  func unusableRuleIsRefusedWithItsPlace(_ members: String, _ fault: String) async throws {
    try await Scene.play(.down) { scene in
      try scene.write("{\"steps\": [\"true\"], \(members)}", scene.jobs.appending("job").appending("job.json"))
      let run = try await scene.run(["check", scene.jobs.appending("job").string])
      #expect(run.end == .code(65))
      #expect(run.output.contains(fault) && run.output.contains("line 1"), "\(run.output)")
    }
  }

  @Test func checkListsWhatWouldBeStaged() async throws {
    try await Scene.play(.down) { scene in
      let folder = scene.jobs.appending("job")
      try scene.write(#"{"steps": ["true"], "stage": {"exclude": ["*.iso"]}}"#, folder.appending("job.json"))
      try scene.write(String(repeating: "x", count: 2048), folder.appending("src").appending("main.c"))
      try scene.write("x", folder.appending("big.iso"))
      let run = try await scene.run(["check", folder.string])
      #expect(run.end == .code(0))
      #expect(run.output.contains("staged: 2 files"))
      #expect(run.output.contains("2.0 KiB     src/main.c\n") && !run.output.contains("big.iso"))
    }
  }
}
