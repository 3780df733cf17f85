import ArgumentParser
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Settings
@testable import mqtt_fs_worker

/// Invalid settings, each with its exit status and sentence.
@Suite struct SettingsTests {
  @Test(arguments: [
    (["-t", "$share/g"], "$share/<group>/"), (["-t", "$share//x"], "$share/<group>/"),
    (["-t", "$share/+/x"], "$share/<group>/"), (["-t", "jobs/#/x"], "'jobs/#'"), (["-t", "/g/jobs"], "single quotes"),
    (["-u", "ws://localhost"], "mqtt://"), (["-u", "mqtt://localhost:99999"], "65535"), (["-u", "mqtt://"], "host"),
    (["-u", "http://localhost"], "mqtt://"), (["-u", "mqtt://::1:1883"], "[::1]"), (["-v", "3"], "3.1.1"),
    (["-i", "../evil"], "worker id"), (["-i", "a/b"], "worker id"), (["-r", "jobs/#"], "results topic"),
    (["--timeout", "soon"], "soon"), (["--lease", "0"], "lease"), (["--max-attempts", "0"], "JOB_MAX_ATTEMPTS"),
    (["--log-level", "loud"], "loud"), (["--log-format", "xml"], "xml"), (["--frobnicate"], "--frobnicate"),
    (["-t", "a", "-t", "jobs/now", "-t", "a"], "'a' is there twice"),
    (["-t", "jobs/now", "-t", "$share/g/jobs/#"], "'jobs/now' and '$share/g/jobs/#' match the same topics"),
    (["-t", "a", "-t", "jobs/#/x"], "'jobs/#'"),
    (["-p", "secret"], "user name"), (["--payload", "x.json"], "--dry-run"), (["-n"], "username"),
  ])
  func usageErrorExitsWith64AndSaysWhatIsRight(_ arguments: [String], _ word: String) async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run(
        ["-j", scene.jobs.string, "-w", scene.workspaces.string, "--connect-timeout", "1s"] + arguments)
      #expect(run.end == .code(64), "\(run.errors)")
      #expect(run.errors.contains(word), "\(run.errors)")
      #expect(run.output.isEmpty)
      #expect(scene.listing(scene.jobs).isEmpty)
    }
  }

  @Test(arguments: [
    ("MQTT_TOPIC", "$share/g", 64), ("MQTT_TOPIC", "a b a", 64), ("MQTT_URL", "mqtt://h:0", 64),
    ("MQTT_PORT", "many", 64),
    ("MQTT_TLS", "maybe", 64),
    ("JOB_TIMEOUT", "soon", 64), ("WORKER_JOBS", "-1", 64), ("LOG_LEVEL", "loud", 64), ("MQTT_CLEAN", "perhaps", 64),
    ("MQTT_PASSWORD_FILE", "/nowhere", 64),
  ])
  func environmentIsReadAsStrictly(_ name: String, _ value: String, _ code: Int32) async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run(
        ["-j", scene.jobs.string, "-w", scene.workspaces.string, "--connect-timeout", "1s"],
        environment: [name: value, "MQTT_USERNAME": "u"])
      #expect(run.end == .code(code), "\(run.errors)")
      #expect(!run.errors.isEmpty)
    }
  }

  @Test func foldersThatLieInOneAnotherAreRefused() async throws {
    try await Scene.play(.down) { scene in
      let (jobs, deeper) = (scene.jobs.string, scene.jobs.appending("deeper").string)
      try FileManager.default.createSymbolicLink(
        atPath: scene.files.appending("link").string, withDestinationPath: jobs)
      let link = scene.files.appending("link").string
      for (jobsDir, workspacesDir) in [
        (jobs, jobs), (jobs, deeper), (deeper, jobs), ("/", jobs), (jobs, "/"), (jobs, link),
      ] {
        let run = try await scene.run([
          "-u", scene.broker.url, "-j", jobsDir, "-w", workspacesDir, "--connect-timeout", "1s",
        ])
        #expect(run.end == .code(78), "\(jobsDir) \(workspacesDir): \(run.errors)")
        #expect(run.errors.contains("folder"))
      }
      #expect(scene.listing(scene.jobs).isEmpty)
    }
  }

  @Test func volumeThatIsNotThereExitsWith74BeforeItConnects() async throws {
    try await Scene.play { scene in
      let missing = scene.files.appending("missing")
      let file = scene.files.appending("file")
      try scene.write("", file)
      let broken = scene.files.appending("broken")
      try scene.write("", broken.appending(".worker"))
      for folder in [missing, file, broken] {
        let run = try await scene.run(["-u", scene.broker.url, "-j", folder.string, "-w", scene.workspaces.string])
        #expect(run.end == .code(74), "\(folder): \(run.errors)")
        #expect(run.errors.contains(folder.string))
      }
      #expect(scene.broker.logged("New connection") == 0)
      #expect(scene.listing(scene.files).isDisjoint(with: ["missing", "missing/"]))
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
  func volumeThatIsReadOnlyExitsWith74() async throws {
    try await Scene.play(.down) { scene in
      chmod(scene.jobs.string, 0o555)
      defer { chmod(scene.jobs.string, 0o755) }
      let run = try await scene.run(["-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string])
      #expect(run.end == .code(74))
    }
  }

  @Test func workspacesThatCannotBeMadeExitWith73() async throws {
    try await Scene.play(.down) { scene in
      try scene.write("", scene.files.appending("file"))
      let run = try await scene.run([
        "-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.files.appending("file").string,
      ])
      #expect(run.end == .code(73), "\(run.errors)")
    }
  }

  @Test(arguments: ["mqtt://user:s3cret@127.0.0.1:", "127.0.0.1:", "tcp://localhost:", "mqtt://[::1]:"])
  func urlThatIsGoodButLeadsNowhereExitsWith69(_ url: String) async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run([
        "-u", "\(url)\(scene.broker.port)", "-j", scene.jobs.string, "-w", scene.workspaces.string, "--connect-timeout",
        "1s",
      ])
      #expect(run.end == .code(69), "\(run.errors)")
      #expect(run.errors.contains("\(scene.broker.port)"))
      #expect(!run.errors.contains("s3cret"))
    }
  }

  @Test func brokerAndPortServeWithoutAURL() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      try await scene.broker.makeSession("from-the-environment", on: "jobs/pending")
      try await scene.send("job")
      let run = try await scene.run(
        [],
        environment: [
          "MQTT_BROKER": "127.0.0.1", "MQTT_PORT": "\(scene.broker.port)", "WORKER_ID": "from-the-environment",
          "MQTT_JOBS_DIR": scene.jobs.string, "MQTT_WORKSPACES_DIR": scene.workspaces.string,
        ])
      #expect(run.end == .code(0), "\(run.errors)")
      #expect(scene.result("job")["workerId"] == "from-the-environment")
    }
  }

  @Test func hostNameGoesIntoTheID() async throws {
    try await Scene.play { scene in
      let host = try String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8).filter { !$0.isNewline }
      try scene.job("job", steps: ["true"])
      try await scene.broker.makeSession("w-\(host)", on: "jobs/pending")
      try await scene.send("job")
      #expect(try await scene.worker("w-%h").end() == .code(0))
      #expect(scene.result("job")["workerId"] == .string("w-\(host)"))
    }
  }

  @Test func wrongPasswordExitsWith77() async throws {
    var options = Broker.Options()
    options.anonymous = .refused(users: ["worker": "right"])
    try await Scene.play(broker: options) { scene in
      let worker = try scene.worker(environment: ["MQTT_USERNAME": "worker", "MQTT_PASSWORD": "wr0ng"])
      #expect(try await worker.end() == .code(77))
      #expect(worker.log.contains("password"))
      #expect(!worker.log.contains("wr0ng"))
    }
  }

  @Test func subscriptionThatIsRefusedExitsWith77AndNamesTheTopic() async throws {
    try await Scene.play(broker: .refusingSubscriptions(to: "jobs/pending")) { scene in
      let worker = try scene.worker()
      #expect(try await worker.end() == .code(77))
      #expect(worker.log.contains("'jobs/pending'"))
    }
  }

  @Test func resultThatIsRefusedExitsWith77AndStaysForTheNext() async throws {
    let rules = "user limited\ntopic readwrite jobs/pending\ntopic write jobs/events/#"
    try await Scene.play(broker: .acl(rules)) { scene in
      try scene.job("job", steps: ["echo run >> $JOB_RESULTS_DIR/../runs"])
      let results = try await scene.results()
      let worker = try scene.worker(environment: ["MQTT_USERNAME": "limited"])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(77))
      #expect(worker.log.contains("'jobs/results/job'"))
      #expect(scene.result("job")["status"] == "success")
      #expect(results.messages.isEmpty)

      // A worker with the right to publish it does so while it runs its own job.
      let next = try scene.worker(["--lease", "1s"], environment: ["MQTT_USERNAME": "test"])
      try await results.message { $0.json["status"] == "success" }
      try await scene.send("other", ["steps": ["true"]])
      #expect(try await next.end() == .code(0))
      #expect(scene.text("job", "runs") == "run\n")
    }
  }

  @Test func helpShowsEveryOption() async throws {
    try await Scene.play(.down) { scene in
      for arguments in [["work", "--help"], ["work", "-h"], ["help", "work"]] {
        let run = try await scene.run(arguments)
        #expect(run.end == .code(0))
        #expect(run.errors.isEmpty)
        for word in [
          "--url", "--username", "--password", "--password-file", "--id", "--jobs-dir", "--workspaces-dir", "--topic",
          "--results-topic", "--protocol-version", "--clean", "--tls", "--ca-certs", "--certfile", "--keyfile",
          "--client-id-prefix", "--timeout", "--grace", "--lease", "--max-attempts", "--max-log-bytes",
          "--idle-timeout",
          "--jobs", "--session-expiry", "--no-retain", "--connect-timeout", "--dry-run", "--payload", "--log-level",
          "--log-format", "--version", "MQTT_URL", "WORKER_ID", "MQTT_TOPIC", "JOB_TIMEOUT", "mqtt://localhost:1883",
        ] {
          #expect(run.output.contains(word), "\(arguments): \(word)")
        }
        #expect(run.output.split(separator: "\n").allSatisfy { $0.count <= 100 })
      }
    }
  }

  @Test(arguments: ["--help", "-h", "help"]) func generalHelpNamesEveryCommand(_ argument: String) async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run([argument])
      #expect(run.end == .code(0) && run.errors.isEmpty)
      let lines = run.output.split(separator: "\n")
      #expect(lines.allSatisfy { $0.count <= 90 } && lines.count < 30)
      for command in RootCommand.configuration.subcommands {
        #expect(lines.contains { $0.hasPrefix("  \(command._commandName) ") }, "\(command._commandName)")
      }
      #expect(run.output.contains("work --help"))
    }
  }

  @Test(arguments: [
    (["submti", "x"], "there is no command 'submti'; did you mean 'submit'?"),
    (["log", "x"], "there is no command 'log'; did you mean 'logs'?"),
    (["list"], "there is no command 'list'; did you mean 'jobs'?"),
    (["version"], "there is no command 'version'; did you mean '--version'?"),
    (["wrokers"], "there is no command 'wrokers'; did you mean 'workers'?"),
    (["frobnicate"], "there is no command 'frobnicate'. The commands: approve, cache,"),
    (["--hlep"], "there is no option '--hlep'; did you mean '--help'?"),
  ])
  func wordThatIsNoCommandIsAnsweredWithTheNearest(_ arguments: [String], _ sentence: String) async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run(arguments)
      #expect(run.end == .code(64) && run.output.isEmpty)
      #expect(run.errors.contains(sentence), "\(run.errors)")
      #expect(!run.errors.contains("--tls"))
    }
  }

  @Test func versionIsOneLine() async throws {
    try await Scene.play(.down) { scene in
      for flag in ["-V", "--version"] {
        let run = try await scene.run([flag])
        #expect(run.end == .code(0))
        #expect(run.output.wholeMatch(of: /mqtt-fs-worker \d+\.\d+\.\d+\S*\n/) != nil)
      }
    }
  }

  @Test func logIsOneJSONObjectALine() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker(["--log-level", "debug"])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(!worker.logLines.isEmpty)
      #expect(worker.logLines.count == worker.log.split(separator: "\n").count)
      #expect(worker.logLines.allSatisfy { $0.keys.isSuperset(of: ["time", "level", "message", "worker"]) })
      #expect(worker.output.isEmpty)
    }
  }
}

extension Scene {
  fileprivate func worker(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> WorkerProcess {
    try worker("worker-01", on: "jobs/pending", arguments, environment: environment)
  }
}
