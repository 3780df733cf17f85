import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// A worker has two sessions, and neither has the name of another worker's.
@Suite struct SessionNameTests {
  @Test(arguments: [[], ["-v", "4"], ["--client-id-prefix", "p-"]])
  func workersWhoseIDsDifferByAControlLiveBesideEachOther(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      let ids = ["w", "w-control", "w-control-control"]
      let workers = try ids.map {
        try scene.worker($0, on: "jobs/\($0)", ["--lease", "1s", "--jobs", "2"] + arguments)
      }
      try await eventually("three presences") {
        workers.allSatisfy { scene.broker.log.contains("'workers/\($0.id)/status'") }
      }
      for round in 1...2 {
        for id in ids {
          try scene.job("\(id)-\(round)", steps: ["true"])
          try await scene.send("\(id)-\(round)", on: "jobs/\(id)")
          #expect(try await scene.awaitResult("\(id)-\(round)")["workerId"].string == id)
        }
      }
      for worker in workers {
        #expect(try await worker.end() == .code(0))
        #expect(!worker.log.contains("next try"), "\(worker.log)")
      }
    }
  }

  /// In version 0.1 both sessions had the same name.
  @Test(arguments: ["alone", "beside the other"])
  func whatTheSessionOfAnEarlierVersionHoldsIsTakenUnlessItIsAnothersNow(_ other: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let arguments = ["--lease", "1s"]
      let first = other == "alone" ? nil : try scene.worker("w", on: "other", arguments)
      try await first?.listens()
      if first == nil {
        try await scene.broker.makeSession("w-control", on: "jobs/pending")
        try await scene.send("job")
      }
      let member: JSON = [
        "worker": "w-control", "clientId": "w-control", "filter": "jobs/pending",
        "broker": .string("127.0.0.1:\(scene.broker.port)"), "state": "away",
        "process": ["host": "elsewhere", "bootId": "b", "pid": 1, "startTime": "1", "pidNamespace": "p"],
      ]
      try scene.write(member.text, scene.jobs.appending(".worker/members/w-control.json"))
      let second = try scene.worker("w-control", arguments)
      if let first {
        try await second.says("what the broker keeps for the client id w-control is left to the client of that id")
        try await scene.broker.logged("Sending SUBACK to w-control:intake")
        try await scene.send("job")
        #expect(!first.log.contains("next try") && first.process.end == nil, "\(first.log)")
      }
      #expect(try await second.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.runs("job") == 1)
      first?.send(SIGTERM)
      if let first { #expect(try await first.end() == .code(0)) }
    }
  }

  @Test(arguments: [
    (["-i", "w"], ["-i", "control", "--client-id-prefix", "w-"]),
    (["-i", "a-b"], ["-i", "b", "--client-id-prefix", "a-"]),
    (["-i", "control", "--client-id-prefix", "w-"], ["-i", "w"]),
  ])
  func prefixThatMakesOneClientIDOfTwoIsRefusedAtTheStart(_ one: [String], _ two: [String]) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let first = try scene.worker(["--lease", "1s"] + one)
      try await scene.broker.logged("Sending SUBACK to \(one.count > 2 ? "w-control" : one[1])\n")
      let second = try scene.worker(["--lease", "1s"] + two)
      #expect(try await second.end() == .code(78))
      #expect(second.log.contains("is in use by worker '\(one[1])'") && second.log.contains("--client-id-prefix"))
      #expect(!first.log.contains("next try"))
      try await scene.send("job")
      #expect(try await first.end() == .code(0))
    }
  }
}
