import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// `mqtt-fs-worker doctor`, which says whether a broker and a volume are fit.
@Suite struct DoctorTests {
  @Test func brokerAndVolumeThatAreFitAreLeftAsTheyWere() async throws {
    try await Scene.play { scene in
      let bus = try await scene.broker.collect("#")
      let before = scene.listing(scene.root.appending("jobs")).union(scene.listing(scene.workspaces))
      let end = try await scene.doctor("--json")
      #expect(end.end == .code(0), "\(end.output)\(end.errors)")
      let diagnosis = try JSON(Data(end.output.utf8))
      #expect(diagnosis["fit"] == true)
      let findings = diagnosis["findings"].elements
      #expect(findings.filter { $0["weight"] == "needed" }.allSatisfy { $0["verdict"] == "yes" })
      #expect(Set(findings.map { $0["subject"].string }) == ["broker", "volume", "workspaces"])
      for name in [
        "handover", "queues of groups", "redelivery", "durable sessions", "shared subscriptions", "message expiry",
        "last will",
      ] {
        #expect(findings.contains { $0["name"] == .string(name) && $0["verdict"] == "yes" }, "\(name)")
      }
      // This broker accepts any client.
      #expect(findings.contains { $0["name"] == "closed to strangers" && $0["verdict"] == "no" })

      #expect(scene.listing(scene.root.appending("jobs")).union(scene.listing(scene.workspaces)) == before)
      #expect(try await scene.broker.sessions().keys.filter { $0.hasPrefix("doctor-") }.isEmpty)
      #expect(bus.messages.allSatisfy { $0.topic.hasPrefix("jobs/results/doctor-") })
      let late = try await scene.broker.collect("#")
      try await scene.broker.publish("end", "")
      try await late.message(on: "end")
      #expect(late.messages.count == 1)
    }
  }

  @Test func everyFindingIsALineWithWhatItMeans() async throws {
    try await Scene.play { scene in
      let end = try await scene.doctor("-v", "4")
      #expect(end.end == .code(0), "\(end.output)\(end.errors)")
      let lines = end.output.split(separator: "\n")
      #expect(lines.last == "fit")
      #expect(
        lines.contains {
          $0.hasPrefix("broker") && $0.contains("yes  redelivery") && $0.contains("delivers a request again")
        })
      #expect(lines.contains { $0.contains("?    message expiry") && $0.contains("MQTT 3.1.1 has none") })
      #expect(lines.contains { $0.hasPrefix("volume") && $0.contains("yes  exclusive creation") })
    }
  }

  @Test func examinationThatIsInterruptedLeavesNothing() async throws {
    try await Scene.play { scene in
      let before = scene.listing(scene.root.appending("jobs")).union(scene.listing(scene.workspaces))
      let doctor = try scene.startDoctor("broker")
      try await eventually("the examination before that of a durable session") {
        doctor.output.contains("no matching subscribers")
      }
      doctor.send(SIGINT)
      #expect(try await doctor.end() == .code(130))
      #expect(doctor.errors.contains("cleaned up"))
      #expect(try await scene.broker.sessions().keys.filter { $0.hasPrefix("doctor-") }.isEmpty)

      let second = try scene.startDoctor("volume")
      try await eventually("the first finding") { second.output.contains("writable") }
      second.send(SIGINT)
      // `doctor` may have finished by then.
      let end = try await second.end()
      #expect([.code(130), .code(0)].contains(end))
      #expect(scene.listing(scene.root.appending("jobs")).union(scene.listing(scene.workspaces)) == before)
    }
  }

  @Test func brokerThatForgetsIsNotFit() async throws {
    // This broker queues at most one message for a worker that is away.
    try await Scene.play(broker: .init("max_queued_messages 1", "max_inflight_messages 1")) { scene in
      let end = try await scene.doctor("broker")
      #expect(end.end == .code(1))
      #expect(end.output.contains("NO   durable sessions"))
      #expect(end.output.hasSuffix("not fit: see NO\n"))
    }
  }

  @Test func accountThatMayNotIsToldSo() async throws {
    try await Scene.play(broker: .acl("user worker\ntopic readwrite mine/#")) { scene in
      let end = try await scene.doctor("broker", "-n", "worker", "-p", "x")
      #expect(end.end == .code(1))
      #expect(end.output.contains("give another account, or a --topic") || end.output.contains("give a --topic"))
      let own = try await scene.doctor("broker", "-n", "worker", "-p", "x", "--topic", "mine/doctor")
      #expect(own.end == .code(0), "\(own.output)")
    }
  }

  @Test func otherMountIsOneIfItShowsTheSame() async throws {
    try await Scene.play(.down) { scene in
      for (mount, end, mark) in [(scene.jobs, ProcessEnd.code(0), "yes"), (scene.files, .code(1), "NO ")] {
        let doctor = try await scene.run(
          ["doctor", "volume", "-j", scene.jobs.string, "-w", scene.workspaces.string, "--other-mount", mount.string],
        )
        #expect(doctor.end == end)
        #expect(doctor.output.contains("\(mark)  other mount"), "\(doctor.output)")
        for finding in ["locks", "modes"] { #expect(doctor.output.contains("yes  \(finding)")) }
      }
    }
  }

  @Test func brokerAndVolumeThatAreNotThereAreNotFit() async throws {
    try await Scene.play(.down) { scene in
      let end = try await scene.run([
        "doctor", "-u", scene.broker.url, "--connect-timeout", "1s", "-j", "/nowhere/jobs", "-w",
        scene.workspaces.string,
      ])
      #expect(end.end == .code(1))
      #expect(end.output.contains("broker      NO   connection"))
      #expect(end.output.contains("volume      NO   writable"))
      #expect(end.output.contains("check that the volume is mounted"))
    }
  }
}

extension Scene {
  fileprivate func doctor(_ arguments: String...) async throws -> (end: ProcessEnd, output: String, errors: String) {
    try await run(["doctor"] + arguments + patients)
  }

  fileprivate func startDoctor(_ arguments: String...) throws -> ChildProcess {
    try start(WorkerProcess.executable, ["doctor"] + arguments + patients, name: "doctor")
  }

  private var patients: [String] { ["-u", broker.url, "-j", jobs.string, "-w", workspaces.string] }
}
