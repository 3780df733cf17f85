import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A volume that does not answer for a while, like a network volume. Here it is a frozen file system.
@Suite(.enabled(if: canFreezeFileSystems, "only root can freeze a file system, and mount a file as one"))
struct HungVolumeTests {
  @Test func workerThatWaitsForTheVolumeAnswersAndDoesTheJobWhenItIsBack() async throws {
    try await Scene.play { scene in
      try await withFileSystem(at: scene.jobs, in: scene) {
        try scene.job("job", steps: ["echo done"])
        let answers = try await scene.broker.collect("workers/worker-01/answers")
        let worker = try scene.worker([])
        try await worker.listens()
        try await withFrozen(scene.jobs, in: scene) {
          try await scene.send("job")
          try await eventually("a worker that waits for the volume") { ProcessEntry.hangs(worker.pid) }
          try await scene.command("health-check", to: "worker-01")
          #expect(try await answers.message().json["outcome"] == "done")
          #expect(ProcessEntry.hangs(worker.pid))
        }
        #expect(try await worker.end() == .code(0))
        #expect(scene.result("job")["status"] == "success")
        #expect(scene.log("job") == "done\n")
      }
    }
  }

  /// Processes that wait in the kernel cannot end before the volume is back; all others do.
  @Test func secondSignalEndsTheStepAndTheWorkerThoughTheVolumeHangs() async throws {
    try await Scene.play(leaving: [.claims, .workspaces]) { scene in
      let mark = "\(Int.random(in: 10_000_000..<100_000_000))"
      try await withFileSystem(at: scene.jobs, in: scene) {
        try scene.job("job", steps: [.string("trap '' TERM; setsid sleep \(mark) & echo begun; sleep \(mark)")])
        let worker = try scene.worker(["--grace", "1s"])
        try await worker.listens()
        try await scene.send("job")
        try await eventually("the step") { scene.log("job") == "begun\n" }
        try await withFrozen(scene.jobs, in: scene) {
          worker.send(SIGTERM)
          try await worker.says("SIGTERM: stopping")
          worker.send(SIGTERM)
          let began = ContinuousClock.now
          try await eventually("the end of the step") { ProcessEntry.marked(mark).isEmpty }
          try await worker.says("still runs 21 s after the second signal")
          // Far less than the time until the volume is back.
          #expect(began.duration(to: .now) < .seconds(50))
        }
        #expect(try await worker.end() == .code(74))
      }
    }
  }

  /// An attempt waits for the processes of an earlier one, but not for those that hang in the kernel.
  @Test func attemptWaitsNotForEverForTheRemainsOfAnother() async throws {
    try await Scene.play { scene in
      let other = scene.files.appending("other")
      try FileManager.default.createDirectory(atPath: other.string, withIntermediateDirectories: false)
      try await withFileSystem(at: other, in: scene) {
        try await withFrozen(other, in: scene, atMost: .seconds(300)) {
          try scene.job("job", steps: [.string("[ $JOB_ATTEMPT = 2 ] || { echo begun; echo > '\(other)/file'; }")])
          let results = try await scene.results()
          let first = try scene.worker([])
          try await first.listens()
          try await scene.send("job")
          try await eventually("the step") { scene.log("job") == "begun\n" }
          try await eventually("a step that hangs") {
            scene.processes.contains { $0.command.contains("JOB_ATTEMPT") && ProcessEntry.state(of: $0.pid) == "D" }
          }
          try await first.kill()
          let second = try scene.worker([])
          try await second.says("of an earlier attempt cannot be ended")
          #expect(try await second.end() == .code(0))
          #expect(try await results.message().json["status"] == "success")
        }
      }
    }
  }
}

private let canFreezeFileSystems = geteuid() == 0 && access("/dev/loop-control", W_OK) == 0

/// Runs `body` with an ext4 of 32 MiB at `path`.
private func withFileSystem(at path: FilePath, in scene: Scene, _ body: () async throws -> Void) async throws {
  let image = scene.files.appending("volume")
  try await expectSuccess(
    of: """
      truncate -s 32M '\(image)' && mkfs.ext4 -q '\(image)' && mount -o loop '\(image)' '\(path)'
      """, in: scene)
  try await unmounting(path, after: body)
}

/// Runs `body` while nothing can be written at `path`. Thaws the file system after a while, whatever happens in the
/// test: processes that wait for it cannot even be killed.
private func withFrozen(
  _ path: FilePath, in scene: Scene, atMost limit: Duration = .seconds(60), _ body: () async throws -> Void
) async throws {
  let (frozen, thaw) = (scene.files.appending("frozen"), scene.files.appending("thaw"))
  let freezer = try scene.start(
    "/bin/sh",
    [
      "-c",
      """
      fsfreeze -f '\(path)' && touch '\(frozen)'
      for _ in $(seq \(limit.components.seconds * 10)); do test -e '\(thaw)' && break; sleep 0.1; done
      fsfreeze -u '\(path)'
      """,
    ], environment: systemTools(scene), name: "freezer")
  try await eventually("a frozen file system") { access(frozen.string, F_OK) == 0 }
  let result = await Result(catching: body)
  try scene.write("", thaw)
  #expect(try await freezer.end() == .code(0))
  try result.get()
}

private func expectSuccess(of script: String, in scene: Scene) async throws {
  let shell = try scene.start("/bin/sh", ["-c", script], environment: systemTools(scene), name: "shell")
  #expect(try await shell.end() == .code(0), "\(shell.errors)")
}

private func systemTools(_ scene: Scene) -> [String: String] {
  scene.environment.merging(["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]) { $1 }
}

extension Result where Failure == any Error {
  fileprivate init(catching body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
