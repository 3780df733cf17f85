import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

@testable import Steps
@testable import Volume
@testable import Worker

/// A worker with `--verify-key`: the requests that it runs, and those that it rejects.
@Suite struct SignedRequestTests {
  @Test(arguments: ["jobs/pending", group])
  func signedFolderIsRun(_ filter: String) async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      try scene.job("job", steps: ["tr a-z A-Z < input.txt > output.txt; env"], ["input.txt": "hello", "a/b": ""])
      let request = try await scene.sign("job", with: key, ["--request-id", "order-1", "--env", "WORD=x"])
      let worker = try scene.worker(on: filter, environment: ["JOB_VERIFY_KEY": key.verifying.string])
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", request)
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.result("job")["requestId"] == "order-1")
      #expect(scene.text("job", "results/output.txt") == "HELLO")
      #expect(scene.log("job").contains("WORD=x\n"))
      #expect(!scene.log("job").contains("JOB_VERIFY_KEY"))
      let audit = (scene.text(".worker", "audit/worker-01.jsonl") ?? "").split(separator: "\n")
      let keys = try audit.map { try JSON(Data($0.utf8)) }.filter { $0["id"] == "job" }.map { $0["keyId"].string }
      // The thumbprint of the key (RFC 7638), in every line about the job.
      #expect(Set(keys).count == 1 && keys.first??.count == 43, "\(audit)")
    }
  }

  @Test func whatIsNotSignedAsItMustBeIsAnsweredAndNotRun() async throws {
    try await Scene.play { scene in
      let (key, other) = (try await scene.key(), try await scene.key("other"))
      try scene.job("job", steps: [.string(scene.noteRun)])
      let source = try await scene.sign("job", with: key)
      let steps: [String: JSON] = ["steps": [.string("touch '\(scene.files)/ran'")]]
      let good = try key.request("job", steps)
      let parts = good.split(separator: ".").map(String.init)
      let none = Data(#"{"alg":"none"}"#.utf8).base64EncodedString().replacing("=", with: "")
      let altered = Data(SceneKey.claims("job", steps).utf8).base64EncodedString()
        .replacing("=", with: "").replacing("+", with: "-").replacing("/", with: "_")
      let forgeries = [
        (#"{"id":"job"}"#, "not signed"),
        (#"{"id":"job","steps":["true"]}"#, "not signed"),
        ("\(parts[0]).\(altered).\(parts[2])", "altered"),
        ("\(none).\(parts[1]).", "none"),
        (try other.request("job", steps), "another key"),
        (try key.request("job", steps.merging(["exp": SceneKey.moment(-60)]) { $1 }), "expired"),
        (try key.request("job", steps.merging(["nbf": SceneKey.moment(300)]) { $1 }), "nbf"),
        (try key.request("job", steps.merging(["iat": SceneKey.moment(300)]) { $1 }), "iat"),
        (try key.request("job", steps.merging(["aud": "gpu"]) { $1 }), "aud"),
        (try key.request("job", steps.merging(["jti": .null]) { $1 }), "jti"),
        (try key.request("job", [:]), "source"),
      ]
      let bus = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker(on: group, key.arguments)
      try await worker.listens()
      let before = scene.volume
      for (payload, word) in forgeries {
        bus.clear()
        try await scene.broker.publish("jobs/pending", payload)
        let answer = try await bus.message(on: "jobs/results/job")
        #expect(answer.json["status"] == "rejected")
        #expect(answer.json["error"].text.contains(word), "\(answer.text)")
        #expect(answer.retention == .notRetained)
        #expect(worker.log.contains(word))
      }
      #expect(worker.process.end == nil)
      #expect(scene.volume == before && scene.claims.isEmpty)
      #expect(!scene.listing(scene.files).contains("ran"))

      try await scene.broker.publish("jobs/pending", source)
      #expect(try await worker.end() == .code(0))
      #expect(scene.runs("job") == 1)
      #expect(!scene.listing(scene.files).contains("ran"))
    }
  }

  @Test func requestOfPyJWTIsTaken() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let secret = scene.files.appending("secret")
      try scene.write("hs256:a secret that has thirty-two bytes or some more\n", secret)
      try await scene.shell("chmod 600 '\(secret)'")
      for (name, algorithm, verifying) in [("one", "EdDSA", key.verifying), ("two", "HS256", secret)] {
        let signing = algorithm == "EdDSA" ? key.signing : secret
        let request = try await scene.shell(
          """
          # Debian's own, which has the package; another may come first in PATH.
          exec /usr/bin/python3 - <<'END'
          import jwt, time
          key = open('\(signing)').read().strip().removeprefix("hs256:")
          claims = {"id": "\(name)", "steps": ["echo run; cat '\(verifying)'"], "jti": "order-\(name)", "iat": int(time.time()),
                    "nbf": int(time.time()), "exp": int(time.time()) + 60, "aud": ["workers"]}
          print(jwt.encode(claims, key, algorithm="\(algorithm)"), end="")
          END
          """)
        let worker = try scene.worker(on: group, ["--verify-key", verifying.string])
        try await worker.listens()
        try await scene.broker.publish("jobs/pending", request)
        #expect(try await worker.end() == .code(0))
        #expect(scene.result(name)["status"] == "success")
        // A step can read a secret that the worker can read, but the worker masks it.
        let shown = algorithm == "HS256" ? "hs256:***\n" : try String(contentsOfFile: verifying.string, encoding: .utf8)
        #expect(scene.log(name) == "run\n\(shown)")
      }
    }
  }

  @Test func secretAndSeveralKeysServe() async throws {
    try await Scene.play { scene in
      let (old, new) = (try await scene.key("old"), try await scene.key("new"))
      let both = scene.files.appending("both.pem")
      try await scene.shell("umask 022; cat '\(old.verifying)' '\(new.verifying)' > '\(both)'")
      for (id, key) in [("one", old), ("two", new)] {
        try scene.job(id, steps: [.string(scene.noteRun)])
        let worker = try scene.worker(["--verify-key", both.string])
        try await worker.listens()
        try await scene.broker.publish("jobs/pending", try await scene.sign(id, with: key))
        #expect(try await worker.end() == .code(0))
        #expect(scene.runs(id) == 1)
      }
    }
  }

  @Test func folderThatWasChangedAfterSigningIsRefused() async throws {
    for change in [
      "echo evil >> input.txt", "touch new", "rm input.txt", "ln -s /etc/passwd link",
      "echo '{\"steps\":[\"touch ran\"]}' > job.json",
    ] {
      try await Scene.play { scene in
        let key = try await scene.key()
        try scene.job("job", steps: [.string(scene.noteRun)], ["input.txt": "hello"])
        let results = try await scene.results()
        let request = try await scene.sign("job", with: key)
        try await scene.shell("cd '\(scene.jobs)/job'; \(change)")
        let worker = try scene.worker(key.arguments)
        try await worker.listens()
        try await scene.broker.publish("jobs/pending", request)
        let answer = try await results.message(on: "jobs/results/job")
        #expect(answer.json["status"] == "rejected")
        #expect(answer.json["error"].text.contains("source-mismatch"), "\(answer.text)")
        #expect(try await worker.end() == .code(0))
        #expect(scene.runs("job") == 0)
        #expect(scene.result("job")["status"] == "rejected")
        #expect(!scene.listing(scene.jobs).contains { $0.hasSuffix("/ran") || $0.hasSuffix(".log") })
      }
    }
  }

  /// The worker checks the staged files: changes of the volume count before staging, and not after it.
  @Test func folderThatIsChangedBetweenClaimAndStagingIsRefused() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      try scene.job("job", steps: [.string(scene.noteRun)], ["input.txt": "hello"])
      let results = try await scene.results()
      let request = try await scene.sign("job", with: key)
      let worker = try scene.worker(key.arguments, stopAt: "acknowledged")
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", request)
      try await worker.reachesCheckpoint()
      try scene.write(#"{"steps":["touch ran"]}"#, scene.jobs.appending("job/job.json"))
      worker.thaw()
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected")
      #expect(answer.json["error"].text.contains("source-mismatch"))
      #expect(try await worker.end() == .code(0))
      #expect(scene.runs("job") == 0 && scene.text("job", "results/ran") == nil)
    }
  }

  @Test func volumeThatIsChangedAfterStagingChangesNothing() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      try scene.job("job", steps: [.string("cat input.txt; \(scene.noteRun)")], ["input.txt": "hello"])
      let request = try await scene.sign("job", with: key)
      let worker = try scene.worker(key.arguments, stopAt: "started")
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", request)
      try await worker.reachesCheckpoint()
      try scene.write(#"{"steps":["echo evil"]}"#, scene.jobs.appending("job/job.json"))
      try scene.write("evil", scene.jobs.appending("job/input.txt"))
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      #expect(scene.log("job") == "hello")
      #expect(scene.runs("job") == 1)
    }
  }

  /// The workspace does not even contain unsigned files.
  @Test func folderOfARequestWithStepsOnlyIsNotStaged() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      try scene.job("job", ["steps": ["true"], "env": ["EVIL": "yes"]], ["tool.sh": "evil"])
      let worker = try scene.worker(key.arguments)
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", try key.request("job", ["steps": ["ls -A; echo \"EVIL=$EVIL\""]]))
      #expect(try await worker.end() == .code(0))
      #expect(scene.log("job") == "EVIL=\n")
    }
  }

  @Test func signedRequestIsRefusedWithoutAKey() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", try key.request("job", ["steps": ["true"]]))
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected")
      #expect(answer.json["error"].text.contains("--verify-key"))
    }
  }

  /// The error about a key file. The worker then exits with 78 at its start.
  @Test func keyThatIsNoneIsAConfigurationError() async throws {
    try await Scene.play(.down) { scene in
      let key = try await scene.key()
      try await scene.shell(
        """
        cp '\(key.verifying)' '\(scene.jobs)/verify.pem'
        cp '\(key.verifying)' open.pem; chmod 666 open.pem
        echo short > short; mkfifo fifo
        """)
      for (path, word) in [
        (scene.files.appending("nowhere"), "No such file"), (key.signing, "private"),
        (scene.jobs.appending("verify.pem"), "jobs could replace it"), (scene.files.appending("open.pem"), "chmod"),
        (scene.files.appending("short"), "32"), (scene.files.appending("fifo"), "not a file"),
        (scene.files, "not a file"),
      ] {
        let run = try await scene.run([
          "-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string, "--verify-key", path.string,
        ])
        #expect(run.end == .code(78), "\(path)")
        #expect(run.errors.contains(word), "\(run.errors)")
      }
      try scene.remove(scene.jobs.appending("verify.pem"))
    }
  }
}
