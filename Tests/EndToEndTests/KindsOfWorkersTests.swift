import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Workers with different filters, on one volume or on two.
@Suite struct KindsOfWorkersTests {
  @Test func twoGroupsWithAVolumeEachRunEachJobOnceAndAnObserverSeesItOnce() async throws {
    try await Scene.play { scene in
      let volumes = [scene.files.appending("east"), scene.files.appending("west")]
      let ids = (1...15).map { "job-\($0)" }
      let held = ["held-1", "held-2"]
      for volume in volumes {
        for id in ids + held {
          let gate = held.contains(id) ? "until [ -e \(volume.appending("gate-\(id)")) ]; do sleep 0.05; done" : ":"
          let step = #"echo "$JOB_ATTEMPT" >> "$JOB_RESULTS_DIR/../runs"; \#(gate)"#
          try scene.write(
            JSON.object(["steps": [.string(step)]]).text, volume.appending(id).appending("job.json"))
        }
      }
      let observer = try await scene.broker.collect("jobs/pending")
      for volume in volumes {
        let name = try #require(volume.lastComponent?.string)
        _ = try await scene.fleet(
          2, "\(name)-", on: "$share/\(name)/jobs/pending",
          with: ["--lease", "2s", "-j", volume.string, "-w", "\(volume)-workspaces"])
      }
      let runs = { (volume: FilePath, id: String) in
        let path = volume.appending(id).appending("runs").string
        return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      }
      let hasResult = { (volume: FilePath, id: String) in
        access(volume.appending(id).appending("results/result.json").string, F_OK) == 0
      }
      for id in held {
        try await scene.send(id)
        for volume in volumes { try await eventually("\(id) on \(volume)") { !runs(volume, id).isEmpty } }
      }
      for code in try await scene.send(all: ids) { #expect(code == .success) }
      try await observer.messages(ids.count + held.count)
      for volume in volumes { try scene.write("", volume.appending("gate-held-1")) }
      try await eventually("all results on both volumes") {
        volumes.allSatisfy { volume in ids.allSatisfy { hasResult(volume, $0) } }
      }
      #expect(!volumes.contains { hasResult($0, "held-2") })
      for volume in volumes { try scene.write("", volume.appending("gate-held-2")) }
      for volume in volumes {
        let state = volume.appending(".worker")
        try await eventually("the end of all claims and deferred requests on \(volume)") {
          let left = scene.listing(state.appending("claims")).union(scene.listing(state.appending("waiting")))
          return left.allSatisfy { $0.hasSuffix("/") } && held.allSatisfy { hasResult(volume, $0) }
        }
        for id in ids + held { #expect(runs(volume, id) == "1\n", "\(id) on \(volume)") }
      }
      #expect(observer.messages.count == ids.count + held.count)
      #expect(Set(observer.messages.map(\.text)).count == ids.count + held.count)
    }
  }

  @Test func nothingOfOneKindIsTakenByTheOther() async throws {
    try await Scene.play { scene in
      let gpu = "$share/gpu/gpu/pending"
      let first = try scene.worker("gpu-1", on: gpu, ["--lease", "1s"])
      let second = try scene.worker("gpu-2", on: gpu, ["--lease", "1s"])
      for worker in [first, second] { try await worker.listens() }
      try await scene.hold("gpu-held", on: "gpu/pending")
      let gpuJobs = try scene.jobs(6, "gpu-")
      try await scene.send(all: Array(gpuJobs[..<1]), on: "gpu/pending")
      try await scene.awaitResult(gpuJobs[0])
      // One of the two has ended; the other is busy, and defers further requests.
      try await eventually("the end of one of two") { first.process.end != nil || second.process.end != nil }
      try await scene.send(all: Array(gpuJobs[1...]), on: "gpu/pending")
      try await eventually("deferred requests, and messages with the broker") { !scene.deferred.isEmpty }
      for worker in [first, second] { try await worker.kill() }
      let deferred = scene.deferred
      let members = scene.members
      let queued = try await scene.broker.sessions().filter { $0.key.hasPrefix("gpu-") && !$0.key.hasSuffix("control") }
      #expect(deferred.count + queued.values.map(\.queued).reduce(0, +) >= 5)
      #expect(members == ["gpu-1.json", "gpu-2.json"])
      #expect(scene.claims == ["gpu-held.1.json"])

      _ = try await scene.fleet(2, "cpu-", with: ["--lease", "1s"])
      try await scene.hold("held")
      let files = scene.jobs.appending(".worker")
      try await eventually("the end of all leases of the dead") {
        ["claims/gpu-held.1.json", "members/gpu-1.json", "members/gpu-2.json"].allSatisfy {
          secondsUntouched(files.pushing(FilePath($0))) > 2
        }
      }
      let ids = try scene.jobs(8, "cpu-")
      try await scene.send(all: ids)
      try await eventually("the results") { scene.missing(ids).isEmpty }
      try scene.open("held")
      try await eventually("the result") { scene.missing(["held"]).isEmpty }
      scene.expectOneRun(of: ids + ["held"])
      try await eventually("the end of all claims but one") { scene.claims == ["gpu-held.1.json"] }
      #expect(scene.deferred == deferred)
      #expect(scene.members == ["cpu-1.json", "cpu-2.json"] + members)
      let left = try await scene.broker.sessions().filter { queued.keys.contains($0.key) }
      #expect(left == queued)

      try scene.open("gpu-held")
      _ = try await scene.fleet(1, "gpu-", on: gpu, with: ["--lease", "1s"])
      try await scene.finish(gpuJobs + ["gpu-held"])
      for id in gpuJobs { #expect(scene.runs(id) == ["1"], "\(id)") }
      #expect(scene.runs("gpu-held") == ["1", "2"])
      try await scene.broker.session(of: "gpu-2") { $0 == nil }
    }
  }
}

private func secondsUntouched(_ path: FilePath) -> Int {
  var status = stat()
  guard stat(path.string, &status) == 0 else { return 0 }
  return time(nil) - status.st_mtim.tv_sec
}
