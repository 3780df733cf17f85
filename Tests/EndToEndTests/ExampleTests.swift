import Foundation
import SystemPackage
import TestSupport
import Testing

/// The examples in examples/ work as they say.
@Suite struct ExampleTests {
  private static let needsPython: Comment = "needs packages from PyPI: run .ci/python-packages"

  private func controller(_ scene: Scene, _ program: FilePath, _ arguments: [String]) throws -> ChildProcess {
    let environment = scene.environment.merging([
      "MQTT_BROKER": "127.0.0.1", "MQTT_PORT": "\(scene.broker.port)", "MQTT_JOBS_DIR": scene.jobs.string,
      "PYTHONUNBUFFERED": "1",
    ]) { $1 }
    return try scene.start(program, arguments, environment: environment, name: "controller")
  }

  /// A failing job that is sent before a worker runs.
  private func play(_ scene: Scene, _ start: (FilePath) throws -> ChildProcess) async throws {
    let folder = try scene.folder("job", ["steps": ["echo one", "echo two; exit 6"]], ["file": "x"])
    let controller = try start(folder)
    try await scene.broker.logged("jobs/pending")
    try scene.worker()
    #expect(try await controller.end() == .code(6), "\(controller.errors)")
    #expect(controller.output == "one\ntwo\n")
    #expect(controller.errors.contains(#""status""#))
    #expect(scene.text("job", "file") == "x")
    // Again: now the name is taken.
    let second = try start(folder)
    #expect(try await second.end() != .code(0))
    #expect(second.errors.contains("exists already"))
    #expect(scene.volume.allSatisfy { !$0.hasPrefix(".submit") })
  }

  @Test func controllerInShellGetsAJobRun() async throws {
    try await Scene.play { scene in
      try await play(scene) {
        try controller(scene, Checkout.root.pushing(FilePath("examples/controllers/submit.sh")), [$0.string])
      }
    }
  }

  @Test(.enabled(if: Checkout.python != nil, needsPython))
  func controllerInPythonGetsAJobRun() async throws {
    let python = try #require(Checkout.python)
    try await Scene.play { scene in
      try await play(scene) {
        try controller(
          scene, python, [Checkout.root.pushing(FilePath("examples/controllers/submit.py")).string, $0.string])
      }
    }
  }

  @Test(.enabled(if: Checkout.python != nil, needsPython))
  func controllerInPythonNoticesThatSomethingIsNotThere() async throws {
    let python = try #require(Checkout.python)
    let program = Checkout.root.pushing(FilePath("examples/controllers/submit.py")).string
    try await Scene.play(.down) { scene in
      let folder = try scene.folder("job", ["steps": ["true"]])
      let waiting = try controller(scene, python, [program, folder.string])
      try await eventually("a word about the broker") { waiting.errors.contains("the broker does not answer") }
      waiting.send(SIGKILL)
      try await waiting.end()
      try scene.remove(scene.jobs)
      let failing = try controller(scene, python, [program, folder.string])
      #expect(try await failing.end() == .code(1))
      #expect(failing.errors.contains("is no folder; check that the volume is mounted"))
      #expect(!FileManager.default.fileExists(atPath: scene.jobs.string))
      try FileManager.default.createDirectory(atPath: scene.jobs.string, withIntermediateDirectories: false)
    }
  }

  @Test(.enabled(if: Checkout.python != nil, needsPython))
  func controllerInPythonOutlivesARestartOfTheBroker() async throws {
    let python = try #require(Checkout.python)
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["echo one", scene.held, "echo two"]])
      let program = Checkout.root.pushing(FilePath("examples/controllers/submit.py")).string
      try scene.worker()
      let controller = try controller(scene, python, [program, folder.string])
      try await controller.prints("one\n")
      try await scene.broker.restart()
      try scene.release()
      #expect(try await controller.end() == .code(0), "\(controller.errors)")
      #expect(controller.output == "one\ntwo\n")
    }
  }

  @Test func pipelineLeavesWhatItBuilds() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let submit = try scene.submit(Checkout.root.pushing(FilePath("examples/pipeline")))
      #expect(try await submit.end() == .code(0), "\(submit.output)\(submit.errors)")
      let result = scene.result("pipeline")
      #expect(
        result["steps"].elements.map { $0["name"].string } == [
          "Lint", "Spelling", "Test", "Build", "Checksums", "Summary",
        ])
      let artifacts = Set(result["artifacts"].elements.compactMap { $0["path"].string })
      #expect(
        artifacts == [
          "dist/greet", "dist/greet-1.2.0.tar.gz", "dist/SHA256SUMS", "test-report.txt", "summary.txt",
        ])
      #expect(scene.text("pipeline", "results/dist/greet")?.contains("greet 1.2.0") == true)
    }
  }

  @Test func pipelineSumsUpEvenWhenATestFails() async throws {
    try await Scene.play { scene in
      let folder = scene.files.appending("pipeline")
      try FileManager.default.copyItem(
        atPath: Checkout.root.pushing(FilePath("examples/pipeline")).string, toPath: folder.string)
      try scene.write("echo 'FAIL on purpose'\n", folder.pushing(FilePath("tests/test_more.sh")))
      // A misspelled key causes a warning, not a failure.
      try scene.write("# We recieve\n", folder.pushing(FilePath("src/more.sh")))
      try scene.worker()
      let submit = try scene.submit(folder)
      #expect(try await submit.end() == .code(1))
      let steps = scene.result("pipeline")["steps"].elements.map { $0["status"].string }
      #expect(steps == ["success", "failed", "failed", "skipped", "skipped", "success"])
      #expect(scene.text("pipeline", "results/summary.txt")?.contains("FAIL on purpose") == true)
    }
  }

  @Test(.enabled(if: Checkout.python != nil, needsPython), arguments: ["mqtt-fs-worker.yaml", "prune.yaml"])
  func kubernetesTakesTheManifest(_ name: String) async throws {
    let python = try #require(Checkout.python)
    try await check(
      python.removingLastComponent().appending("kubernetes-validate"),
      ["--strict", "examples/kubernetes/\(name)"])
    try await check(
      python.removingLastComponent().appending("yamllint"),
      [
        "-s", "-d", "{extends: default, rules: {line-length: {max: 130}, document-start: disable, braces: disable}}",
        "examples/kubernetes/\(name)",
      ])
  }

  @Test(.enabled(if: Checkout.python != nil, needsPython))
  func composeFileIsOfTheFormThatTheSpecificationHas() async throws {
    let python = try #require(Checkout.python)
    let program = """
      import compose_spec.models, yaml
      text = yaml.safe_load(open("compose.yaml"))
      compose_spec.models.ComposeSpecification.model_validate(text)
      services = text["services"]
      assert {name for name in services if "profiles" in services[name]} == {"broker-tls", "emqx", "worker-gpu"}, services.keys()
      volumes = {v.split(":")[0] for s in services.values() for v in s.get("volumes", []) if v[0] not in "./$"}
      assert volumes <= set(text["volumes"]), volumes
      import re
      rows = re.findall(r"^\\| `-.*?\\| (.*?) \\|", open("docs/commands.md").read(), re.M)
      known = {name for row in rows for name in re.findall(r"`((?:MQTT|JOB|WORKER|LOG)_[A-Z_]+)`", row)}
      # The image has these, for its own folders.
      folders = {"MQTT_JOBS_DIR", "MQTT_WORKSPACES_DIR", "JOB_CACHE_DIR", "MQTT_NO_RETAIN"}
      for service in "worker", "worker-gpu":
        passed = set(services[service]["environment"])
        assert known - folders <= passed, (service, known - folders - passed)
        assert "pids_limit" in services[service] and "mem_limit" in services[service]
      """
    try await check(python, ["-c", program])
  }

  @Test func secretsOfTheComposeProfileAreSortedByWhoMayHaveThem() async throws {
    try await Scene.play(.down) { scene in
      let run = try scene.start(
        Checkout.root.pushing(FilePath("examples/compose/secrets.sh")), [scene.files.appending("secrets").string],
        name: "secrets")
      #expect(try await run.end() == .code(0), "\(run.errors)")
      let made = scene.listing(scene.files.appending("secrets"))
      #expect(
        Set(made.filter { $0.hasPrefix("worker/") && $0 != "worker/" })
          == Set(["worker/ca.crt", "worker/worker.crt", "worker/worker.key", "worker/worker.password"]))
      #expect(made.contains("broker/certs/server.key") && made.contains("broker/config/acl"))
      #expect(!made.contains("broker/certs/ca.key"))
    }
  }

  /// Runs a checker in the checkout; each finding is an issue.
  private func check(_ program: FilePath, _ arguments: [String]) async throws {
    try await Scene.play(.down) { scene in
      let run = try scene.start(program, arguments, in: Checkout.root, name: "check")
      #expect(try await run.end() == .code(0), "\(run.output)\(run.errors)")
    }
  }
}
