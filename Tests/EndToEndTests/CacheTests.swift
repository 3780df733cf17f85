import Foundation
import SystemPackage
import TestSupport
import Testing

/// What a host keeps between jobs.
@Suite struct CacheTests {
  /// Puts down a job with a cache of `deps`, whose exact content `lock` decides.
  private func put(_ id: String, key: String = "deps", lock: String, _ step: String, in scene: Scene) throws {
    let folder = scene.jobs.appending(id)
    let steps = String(decoding: try JSONEncoder().encode([step]), as: UTF8.self)
    try scene.write(
      "{\"steps\": \(steps), \"cache\": [{\"key\": \"\(key)\", \"files\": [\"lock\"], \"paths\": [\"deps\"]}]}",
      folder.appending("job.json"))
    try scene.write(lock, folder.appending("lock"))
    try scene.write("{\"id\": \"\(id)\"}", scene.files.appending("\(id).payload"))
  }

  private func arguments(_ id: String, _ scene: Scene) -> [String] {
    [
      "--dry-run", "--payload", scene.files.appending("\(id).payload").string, "-j", scene.jobs.string, "-w",
      scene.workspaces.string, "-i", "worker-\(id)",
    ]
  }

  /// Runs the job without a broker, and returns what happened to its cache.
  private func run(_ id: String, _ scene: Scene, _ further: [String] = []) async throws -> JSON {
    let run = try await scene.run(arguments(id, scene) + further)
    #expect(run.end == .code(0), "\(run.errors)")
    return scene.result(id)["caches"][0]
  }

  private func entries(_ scene: Scene) -> Set<String> {
    Set(
      scene.listing(scene.workspaces.appending(".worker").appending("cache")).filter {
        $0.split(separator: "/").count == 2
      })
  }

  @Test func nextJobFindsWhatTheLastOneMade() async throws {
    try await Scene.play(.down) { scene in
      let step =
        "ls deps 2>/dev/null; mkdir -p deps/sub; ln -sf sub deps/link; echo made > deps/sub/x; chmod 750 deps/sub"
      try put("a", lock: "1", step, in: scene)
      try put("b", lock: "1", "test \"$(cat deps/link/x)\" = made && stat -c %a deps/sub", in: scene)
      let first = try await run("a", scene)
      #expect(first["hit"] == "miss" && first["saved"] == true)
      #expect(scene.result("a")["artifacts"].elements.count == 0)
      let second = try await run("b", scene)
      #expect(second["hit"] == "exact" && second["saved"] == false && second["bytes"] == 5)
      #expect(scene.text("b", "results/step_0.log") == "750\n")
      let list = try await scene.run(["cache", "list", "-w", scene.workspaces.string])
      #expect(list.output.contains("deps") && list.output.split(separator: "\n").count == 2)
    }
  }

  @Test func otherFilesAreAPartialHitAndMakeAnEntryOfTheirOwn() async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir deps; echo 1 > deps/x", in: scene)
      try put("b", lock: "2", "cat deps/x; echo 2 > deps/x", in: scene)
      try put("c", lock: "2", "cat deps/x", in: scene)
      _ = try await run("a", scene)
      let second = try await run("b", scene)
      #expect(second["hit"] == "partial" && second["saved"] == true)
      #expect(scene.text("b", "results/step_0.log") == "1\n")
      #expect(try await run("c", scene)["hit"] == "exact")
      #expect(scene.text("c", "results/step_0.log") == "2\n")
      #expect(entries(scene).count == 2)
    }
  }

  @Test func failedJobSavesNothing() async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir deps; echo 1 > deps/x; exit 3", in: scene)
      let run = try await scene.run(arguments("a", scene))
      #expect(run.end == .code(3))
      #expect(scene.result("a")["caches"][0]["saved"] == false)
      #expect(entries(scene).isEmpty)
    }
  }

  @Test func workerKilledWhileItSavesLeavesNoHalfEntry() async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir -p deps; echo 1 > deps/x", in: scene)
      let killed = try scene.start(
        WorkerProcess.executable, arguments("a", scene),
        environment: scene.environment.merging(["MQTT_FS_WORKER_STOP_AT": "cacheFilled"]) { $1 }, name: "killed")
      try await killed.stopped()
      #expect(entries(scene).filter { !$0.contains("/.") }.isEmpty)
      killed.send(SIGKILL)
      _ = try await killed.end()
      let next = try await run("a", scene)
      #expect(next["hit"] == "miss" && next["saved"] == true)
      #expect(entries(scene).count == 1, "\(entries(scene))")
    }
  }

  @Test func manyJobsAtOnceMakeOneEntry() async throws {
    try await Scene.play(.down) { scene in
      let ids = (1...6).map { "job-\($0)" }
      for id in ids { try put(id, lock: "1", "mkdir -p deps; seq 1000 > deps/x", in: scene) }
      let saved = try await withThrowingTaskGroup(of: Bool.self) { group in
        for id in ids { group.addTask { try await run(id, scene)["saved"] == true } }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(saved == 1)
      #expect(entries(scene).count == 1)
      try put("last", lock: "1", "seq 1000 | cmp - deps/x", in: scene)
      #expect(try await run("last", scene)["hit"] == "exact")
    }
  }

  @Test func leastRecentlyUsedGoesFirst() async throws {
    try await Scene.play(.down) { scene in
      for id in ["1", "2", "3"] {
        try put(id, key: id, lock: "1", "mkdir deps; head -c 1000 /dev/zero > deps/x", in: scene)
      }
      try put("again", key: "1", lock: "1", "true", in: scene)
      for id in ["1", "2", "again", "3"] { _ = try await run(id, scene, ["--cache-size", "11000"]) }
      #expect(entries(scene).count == 2)
      for (id, hit) in [("1", "exact"), ("3", "exact"), ("2", "miss")] {
        try put("see-\(id)", key: id, lock: "1", "true", in: scene)
        #expect(try await run("see-\(id)", scene)["hit"].string == hit)
      }
    }
  }

  @Test func cacheThatCannotBeUsedIsAWarning() async throws {
    try await Scene.play(.down) { scene in
      let file = scene.files.appending("file")
      try scene.write("no folder", file)
      try put("a", lock: "1", "mkdir deps; echo 1 > deps/x", in: scene)
      let run = try await scene.run(arguments("a", scene) + ["--cache-dir", file.string])
      #expect(run.end == .code(0))
      #expect(run.errors.contains("cannot be restored"), "\(run.errors)")
      #expect(scene.result("a")["status"] == "success" && scene.result("a")["caches"][0]["saved"] == false)
    }
  }

  @Test func whatTheJobBringsItselfIsNotReplaced() async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir deps; echo old > deps/x", in: scene)
      _ = try await run("a", scene)
      try put("b", lock: "1", "cat deps/x", in: scene)
      try scene.write("own\n", scene.jobs.appending("b").appending("deps").appending("x"))
      #expect(try await run("b", scene)["hit"] == "miss")
      #expect(scene.text("b", "results/step_0.log") == "own\n")
    }
  }

  @Test func removedCacheIsAMiss() async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir -p deps; echo 1 > deps/x", in: scene)
      _ = try await run("a", scene)
      let removed = try await scene.run(["cache", "remove", "deps", "-w", scene.workspaces.string])
      #expect(removed.end == .code(0) && removed.output == "removed 1 cache, 2 B\n")
      #expect(try await run("a", scene)["hit"] == "miss")
      for arguments in [["other"], [], ["deps", "--all"]] {
        let run = try await scene.run(["cache", "remove", "-w", scene.workspaces.string] + arguments)
        #expect(run.end == .code(64), "\(arguments)")
      }
      let all = try await scene.run(["cache", "remove", "--all", "-w", scene.workspaces.string])
      #expect(all.end == .code(0) && all.output == "removed 1 cache, 2 B\n")
    }
  }

  /// Steps run as the worker's user, so everything in the folder may be theirs.
  @Test func hostileEntriesStopNobody() async throws {
    try await Scene.play(.down) { scene in
      try put("honest", lock: "1", "mkdir -p deps; echo 1 > deps/x", in: scene)
      _ = try await run("honest", scene)
      let scope = try #require(entries(scene).first).split(separator: "/")[0]
      let place = scene.workspaces.appending(".worker").appending("cache").appending(String(scope))
      for (name, bytes) in [("a", "9223372036854775807"), ("b", "9223372036854775807"), ("c", "-1")] {
        try scene.write(
          "{\"key\": \"\(name)\", \"paths\": [\"x\"], \"bytes\": \(bytes), \"files\": 9223372036854775807, \"saved\": \"\"}",
          place.appending(name).appending("entry.json"))
      }
      try await scene.shell("touch -d 2300-01-01 '\(place)/a/entry.json'; mkdir '\(place)/d' '\(place)/../lost+found'")
      let list = try await scene.run(["cache", "list", "-w", scene.workspaces.string])
      #expect(list.end == .code(0) && list.output.split(separator: "\n").count == 4, "\(list.errors)")
      try put("next", lock: "2", "mkdir -p deps; echo 2 > deps/x", in: scene)
      #expect(try await run("next", scene)["saved"] == true)
      let left = try await scene.run(["cache", "list", "-w", scene.workspaces.string])
      #expect(
        !left.output.contains("\na ") && !left.output.contains("\nb ") && left.output.contains("deps"), "\(left.output)"
      )
    }
  }

  @Test func oddEntryOfTheKeyHidesNoOther() async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir -p deps; echo 1 > deps/x", in: scene)
      _ = try await run("a", scene)
      let entry = try #require(entries(scene).first).split(separator: "-")[0]
      let place = scene.workspaces.pushing(FilePath(".worker/cache/\(entry)"))
      try await scene.shell("touch '\(place)-file'; ln -s / '\(place)-link'; mkdir '\(place)-folder'")
      try put("b", lock: "2", "cat deps/x", in: scene)
      #expect(try await run("b", scene)["hit"] == "partial")
    }
  }

  /// A file may be long without taking space.
  @Test func sparseFilesOfMoreThanTheLimitAreNotSaved() async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir deps; truncate -s 4T deps/1 deps/2 deps/3", in: scene)
      let result = try await run("a", scene)
      #expect(result["hit"] == "miss" && result["saved"] == false)
      #expect(entries(scene).isEmpty)
    }
  }

  @Test(arguments: [
    "rm -r E/tree", "rm E/tree/deps/x", "echo more >> E/tree/deps/x", "echo {} > E/entry.json", "rm E/entry.json",
    "rm -r E; echo file > E", "rm -r E; ln -s / E", "rm -r E; mkfifo E",
    "rm -r E; echo file > $(dirname E)/.$(basename E).partial",
  ])
  func entryThatIsNotWhatWasSavedIsMadeAnew(_ damage: String) async throws {
    try await Scene.play(.down) { scene in
      try put("a", lock: "1", "mkdir -p deps; echo 1 > deps/x", in: scene)
      _ = try await run("a", scene)
      let entry = scene.workspaces.pushing(FilePath(".worker/cache/\(try #require(entries(scene).first))"))
      try await scene.shell(damage.replacingOccurrences(of: "E", with: entry.string))
      #expect(try await run("a", scene)["saved"] == true)
      #expect(try await run("a", scene)["hit"] == "exact")
    }
  }

  @Test func foldersAboveCachedPathsAreNoArtifacts() async throws {
    try await Scene.play(.down) { scene in
      let step = "mkdir -p .cache/pip other/empty kept/pip; echo 1 > .cache/pip/x; echo 2 > kept/y"
      try put("a", lock: "1", step, in: scene)
      let definition =
        "{\"steps\": [\"\(step)\"], \"cache\": [{\"key\": \"k\", \"paths\": [\".cache/pip\", \"kept/pip\"]}]}"
      try scene.write(definition, scene.jobs.appending("a").appending("job.json"))
      for hit in ["miss", "exact"] {
        #expect(try await run("a", scene)["hit"].string == hit)
        let results = scene.listing(scene.jobs.appending("a").appending("results"))
        #expect(
          Set(results) == ["kept/", "kept/y", "other/", "other/empty/", "result.json", "step_0.log"], "\(results)")
      }
    }
  }
}
