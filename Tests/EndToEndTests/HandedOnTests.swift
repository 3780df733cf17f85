import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Variables and outputs that steps hand on, and their temporary files.
@Suite(.everyAccess) struct HandedOnTests {
  @Test func variablesAreThereForLaterStepsAndOutputsForTheSender() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        [
          "env": ["A": "job", "B": "job"],
          "steps": [
            "echo A=1 >> $JOB_ENV; echo B=1 >> $JOB_ENV; printf 'NOTES<<END\\none\\n\\ntwo\\nEND\\n' >> $JOB_ENV; echo $A",
            ["run": "echo $A $B; echo \"$NOTES\"; cat $JOB_ENV; echo version=1 >> $JOB_OUTPUT", "env": ["B": "step"]],
            "printf 'version=2\\nlog<<.\\na\\nb\\n.\\nbad=\\351\\n' >> $JOB_OUTPUT",
          ],
        ])
      let results = try await scene.results()
      let result = try await scene.outcome()
      #expect(result["status"] == "success")
      #expect(scene.log("job") == "job\n")
      #expect(scene.log("job", step: 1) == "1 step\none\n\ntwo\n")
      let outputs: JSON = ["version": "2", "log": "a\nb", "bad": "\u{FFFD}"]
      #expect(result["outputs"] == outputs)
      #expect(result["artifacts"] == [])
      #expect(try await results.message(on: "jobs/results/job").json["outputs"] == outputs)
    }
  }

  /// A refreshed token does not make the old one public.
  @Test func secretThatALaterStepReplacesStaysMasked() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "echo API_TOKEN=first-one >> $JOB_ENV; echo url=https://x/first-one >> $JOB_OUTPUT",
          "echo API_TOKEN=second-one >> $JOB_ENV; echo DEPLOY_TOKEN=third-one >> $JOB_OUTPUT",
          "echo first-one second-one third-one",
        ])
      let results = try await scene.results()
      let result = try await scene.outcome()
      #expect(scene.log("job", step: 2) == "*** *** ***\n")
      let outputs: JSON = ["url": "https://x/***", "DEPLOY_TOKEN": "***"]
      #expect(result["outputs"] == outputs)
      #expect(try await results.message(on: "jobs/results/job").json["outputs"] == outputs)
    }
  }

  /// The last of them is what later steps get.
  @Test func secretOfAFailedTryAndOneThatALaterLineReplacesStayMasked() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        [
          "steps": [
            [
              "run":
                "n=$(cat n || echo 0); n=$((n+1)); echo $n > n; echo A_TOKEN=try-$n-zzz >> $JOB_ENV; echo B_TOKEN=gone-zzz >> $JOB_ENV; echo B_TOKEN=last-zzz >> $JOB_ENV; [ $n = 3 ]",
              "retries": 2,
            ],
            "echo $A_TOKEN try-1-zzz try-2-zzz try-3-zzz gone-zzz last-zzz; echo url=try-1-zzz >> $JOB_OUTPUT",
          ]
        ])
      let result = try await scene.outcome()
      #expect(result["status"] == "success")
      #expect(scene.log("job", step: 1) == "*** *** *** *** *** ***\n")
      #expect(result["outputs"] == ["url": "***"])
    }
  }

  /// The step's own log cannot mask what the step makes only then; what is sent about it can.
  @Test func tailAndErrorOfTheStepThatMadeASecretAreMasked() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo A_TOKEN=made-zzz >> $JOB_ENV; echo made-zzz; exit 3"])
      let results = try await scene.results()
      _ = try await scene.outcome()
      #expect(try await results.message(on: "jobs/results/job").json["tail"] == "***\n")
    }
  }

  @Test func malformedLineFailsTheStepAndIsToldOf() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: ["echo A=1 >> $JOB_ENV; echo oops >> $JOB_ENV; printf done", ["run": "echo [$A]", "always": true]])
      let results = try await scene.results()
      let result = try await scene.outcome()
      #expect(result["status"] == "failed" && result["exitCode"] == 1)
      let message = try await results.message(on: "jobs/results/job")
      #expect(
        message.json["tail"].string?.hasPrefix("done\n[JOB_ENV, line 2: it has no \"=\". Write lines NAME=value")
          == true)
      #expect(scene.log("job", step: 1) == "[]\n")
    }
  }

  @Test(arguments: [
    "ln -s /etc/passwd", "mkfifo", "mkdir", "truncate -s 1G", "ln -s /dev/zero", "ln -s /dev/tty",
  ])
  func anythingInPlaceOfTheFileIsHarmless(_ command: String) async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "echo KEPT=1 >> $JOB_ENV", .string("rm $JOB_ENV; \(command) $JOB_ENV"),
          ["run": "echo $KEPT; echo A=1 >> $JOB_ENV", "always": true], ["run": "echo $A", "always": true],
        ])
      let result = try await scene.outcome()
      #expect(result["status"] == "failed")
      #expect(result["steps"].elements.map { $0["status"] } == ["success", "failed", "success", "success"])
      #expect(scene.log("job", step: 1).hasPrefix("[JOB_ENV: it "))
      #expect(scene.log("job", step: 2) == "1\n" && scene.log("job", step: 3) == "1\n")
    }
  }

  @Test func secretsAreMasked() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        [
          "env": ["API_TOKEN": "fr0m-the-job"],
          "steps": [
            "echo LOGIN_TOKEN=fr0m-a-step >> $JOB_ENV; echo mine=fr0m-the-job >> $JOB_OUTPUT",
            "echo $LOGIN_TOKEN $API_TOKEN; echo theirs=x${LOGIN_TOKEN}x >> $JOB_OUTPUT; echo \"=$API_TOKEN\" >> $JOB_ENV",
          ],
        ])
      let bus = try await scene.broker.collect("jobs/#")
      let result = try await scene.outcome()
      #expect(scene.log("job", step: 1).hasPrefix("*** ***\n[JOB_ENV, line 1: its name is empty."))
      #expect(result["outputs"] == ["mine": "***", "theirs": "x***x"])
      let message = try await bus.message(on: "jobs/results/job")
      #expect(!message.text.contains("fr0m"))
    }
  }

  @Test func temporaryFilesAreNoArtifactsAndGoWithTheWorkspace() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        [
          "steps": [
            "echo x > $TMPDIR/file; mkdir -p $TMPDIR/a/b; mktemp", "cat $TMPDIR/file; echo $TMPDIR",
            ["run": "echo $TMPDIR", "env": ["TMPDIR": "/own"]],
          ]
        ])
      let result = try await scene.outcome(environment: ["TMPDIR": "/not/this"])
      #expect(result["status"] == "success" && result["artifacts"] == [])
      #expect(scene.log("job").hasPrefix("\(scene.workspaces)/.worker/"))
      #expect(scene.log("job", step: 1).hasPrefix("x\n\(scene.workspaces)/.worker/"))
      #expect(scene.log("job", step: 2) == "/own\n")
      // The scene sees to it that nothing is left.
    }
  }

  @Test func temporaryFilesOfAKilledWorkerGoAtTheNextStart() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["test $JOB_ATTEMPT = 2 || { echo x > $TMPDIR/file; echo ready; sleep 1000; }"])
      let first = try scene.worker("worker-01", on: "jobs/pending", ["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "ready\n" }
      #expect(scene.workspacesLeft.contains { $0.hasSuffix(".tmp/tmp/file") })
      try await first.kill()
      try await eventually("the end of the step") { scene.processes.isEmpty }
      #expect(scene.workspacesLeft.contains { $0.hasSuffix(".tmp/tmp/file") })
      let next = try scene.worker("worker-01", on: "jobs/pending", ["--lease", "1s"])
      #expect(try await next.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.workspacesLeft.isEmpty)
    }
  }
}
