import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Connections whose packets are lost, while both ends take them to be alive.
@Suite struct HalfOpenConnectionTests {
  /// One and a half times the keep-alive of 15 s.
  static let limit: Duration = .seconds(22.5)

  @Test(
    .enabled(if: Cable.canBeLaid, "needs root, ip and iptables; on Debian: apt-get install iproute2 iptables"),
    arguments: ["idle", "busy"])
  func isFoundAndTheJobIsNotDisturbed(_ state: String) async throws {
    let cable = Cable()
    try await Scene.play(broker: Broker.Options("listener 1883 \(cable.brokerAddress)"), .down) { scene in
      try await cable.lay(scene)
      try await cable.withCable(scene) {
        try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; \(scene.waitForGate); echo ended")])
        try await scene.broker.start()
        let worker = try scene.start(
          installed("ip"),
          ["netns", "exec", cable.namespace, WorkerProcess.executable.string] + [
            "-u", "mqtt://\(cable.brokerAddress)", "-j", scene.jobs.string, "-w", scene.workspaces.string,
          ], name: "worker-01")
        try await scene.broker.logged("Sending SUBACK to worker-01\n")
        let results = try await scene.results()
        if state == "busy" {
          try await scene.send("job")
          try await eventually("the step") { scene.log("job") == "begun\n" }
        }
        try await cable.cut(scene)
        try await eventually("a lost connection", within: HalfOpenConnectionTests.limit + .seconds(5)) {
          worker.errors.contains("next try")
        }
        try await cable.mend(scene)
        if state == "idle" { try await scene.send("job") }
        try scene.openGate()
        // An attempt during the cut may have to time out.
        let message = try await results.message(on: "jobs/results/job")
        #expect(message.json["status"] == "success")
        #expect(try await worker.end() == .code(0))
        #expect(scene.log("job") == "begun\nended\n")
        #expect(scene.runs("job") == 1)
        #expect(scene.result("job")["attempt"] == 1)
      }
    }
  }
}

/// A pair of virtual network devices, one end of which is in a network namespace of its own (ip-netns(8), veth(4)).
private struct Cable: Sendable {
  let namespace: String
  let brokerAddress: String
  private let workerAddress: String
  private let device: String

  init() {
    let number = Int.random(in: 0..<16384)
    // 198.18.0.0/15 is for tests of networks (RFC 2544).
    let network = "198.18.\(number >> 8 & 0x3F)"
    let last = (number & 0xFF) / 4 * 4
    namespace = "mqtt-fs-\(number)"
    device = "mqfs\(number)"
    brokerAddress = "\(network).\(last + 1)"
    workerAddress = "\(network).\(last + 2)"
  }

  static var canBeLaid: Bool {
    guard geteuid() == 0, (try? installed("ip")) != nil, let iptables = try? installed("iptables") else { return false }
    return access(iptables.string, X_OK) == 0
  }

  func lay(_ scene: Scene) async throws {
    try await run(scene, "ip", "netns", "add", namespace)
    try await run(scene, "ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    try await run(scene, "ip", "addr", "add", "\(brokerAddress)/30", "dev", device)
    try await run(scene, "ip", "link", "set", device, "up")
    try await run(scene, "ip", "-n", namespace, "addr", "add", "\(workerAddress)/30", "dev", "eth0")
    try await run(scene, "ip", "-n", namespace, "link", "set", "eth0", "up")
  }

  func withCable(_ scene: Scene, _ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch {
      try await remove(scene)
      throw error
    }
    try await remove(scene)
  }

  private func remove(_ scene: Scene) async throws {
    // This removes the other end, too.
    try await run(scene, "ip", "link", "delete", device)
    try await run(scene, "ip", "netns", "delete", namespace)
  }

  /// From now on no packet gets through, and neither end is told.
  func cut(_ scene: Scene) async throws {
    for chain in ["INPUT", "OUTPUT"] {
      try await run(scene, "ip", "netns", "exec", namespace, "iptables", "-A", chain, "-j", "DROP")
    }
  }

  func mend(_ scene: Scene) async throws {
    try await run(scene, "ip", "netns", "exec", namespace, "iptables", "-F")
  }

  private func run(_ scene: Scene, _ program: String, _ arguments: String...) async throws {
    let process = try scene.start(installed(program), arguments, name: program)
    guard try await process.end() == .code(0) else {
      throw WaitedInVain("\(program) \(arguments.joined(separator: " ")): \(process.errors)")
    }
  }
}
