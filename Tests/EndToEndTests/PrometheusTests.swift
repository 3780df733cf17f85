import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The example in examples/prometheus, with its exporter.
@Suite struct PrometheusTests {
  private static let example = Checkout.root.pushing(FilePath("examples/prometheus"))

  @Test(
    .enabled(if: Checkout.hasProgram("prometheus-mqtt-exporter"), "needs the package prometheus-mqtt-exporter"),
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"))
  func exporterTellsHowWorkersAre() async throws {
    try await withExporter { scene, metrics in
      let worker = try scene.worker("first", on: "jobs/pending", ["--heartbeat", "1s"])
      try await metrics.shows("state", of: "first", 2)
      try await metrics.shows("heartbeat_seconds", of: "first", 1)
      for name in [
        "host_load1", "memory_bytes", "host_memory_free_bytes", "jobs_free_bytes", "workspaces_free_bytes",
      ] {
        let sample = try await metrics.sample(name, of: "first")
        #expect(try #require(sample).value >= 0, "\(name)")
      }
      // The age is that of the last heartbeat; the next one makes it smaller.
      let told = try #require(try await metrics.sample("heartbeat_seconds", of: "first")?.time)
      try await eventually("the next heartbeat") {
        let next = try await metrics.sample("heartbeat_seconds", of: "first")?.time
        return try #require(next) > told
      }

      try scene.write("licence", scene.jobs.appending("KILLSWITCH"))
      try await metrics.shows("state", of: "first", 1)
      try FileManager.default.removeItem(atPath: scene.jobs.appending("KILLSWITCH").string)
      try await metrics.shows("state", of: "first", 2)
      try await scene.hold("job")
      try await metrics.shows("state", of: "first", 3)
      try await metrics.shows("attempt", of: "first", 1)
      try scene.open("job")
      try await metrics.shows("state", of: "first", 0)
      try await metrics.shows("absence", of: "first", 2)
      #expect(try await worker.end() == .code(0))

      let second = try scene.worker("second", on: "jobs/pending", [])
      try await metrics.shows("state", of: "second", 2)
      try await second.kill()
      try await metrics.shows("state", of: "second", 0)
      try await metrics.shows("absence", of: "second", 3)
    }
  }

  @Test(
    .enabled(if: Checkout.hasProgram("prometheus-mqtt-exporter"), "needs the package prometheus-mqtt-exporter"),
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"))
  func exporterTellsWhatTheLastJobUsed() async throws {
    try await withExporter("results-exporter.yaml") { scene, metrics in
      try scene.job("job", steps: ["exit 3"])
      let result = try await scene.outcome()
      for (name, value) in [
        ("exit_code", result["exitCode"]), ("memory_bytes", result["usage"]["maxRssBytes"]),
        ("user_milliseconds", result["usage"]["userMs"]), ("system_milliseconds", result["usage"]["systemMs"]),
      ] {
        let wanted = try #require(value.number, "\(name)")
        try await eventually("\(name) \(wanted)") {
          let start = "mqtt_fs_worker_job_\(name){sensor=\"results\",topic=\"jobs/results/job\"} "
          return try await metrics.value(start) == Double(wanted)
        }
      }
    }
  }

  @Test(.enabled(if: Checkout.hasProgram("promtool"), "needs promtool, of the package prometheus"))
  func alertsAreRaisedByWhatTheySay() async throws {
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
      try await Scene.play(.down) { scene in
        let run = try scene.start(installed("promtool"), arguments, in: Self.example, name: "promtool")
        #expect(try await run.end() == .code(0), "\(run.output)\(run.errors)")
      }
    }
  }
}

/// Runs a scene with the exporter and the example's configuration.
private func withExporter(
  _ configuration: String = "mqtt-exporter.yaml", _ body: @Sendable (Scene, Exporter) async throws -> Void
) async throws {
  try await Scene.play { scene in
    let exporter = try await Exporter(scene, configuration)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(scene, exporter)) } catch { outcome = .failure(error) }
    await exporter.end()
    try outcome.get()
  }
}

/// The exporter, beside a scene's broker.
private struct Exporter {
  private let scene: Scene
  private let port: UInt16
  private let process: ChildProcess

  /// Starts the exporter with the example's configuration, in which only the broker's address differs.
  init(_ scene: Scene, _ name: String) async throws {
    let configuration = Checkout.root.pushing(FilePath("examples/prometheus/\(name)"))
    let text = try String(contentsOfFile: configuration.string, encoding: .utf8)
    let server = "tcp://localhost:1883"
    #expect(text.contains("server: \(server)\n"))
    let file = scene.files.appending(name)
    try scene.write(text.replacingOccurrences(of: server, with: "tcp://127.0.0.1:\(scene.broker.port)"), file)
    self.scene = scene
    port = try freePort()
    process = try scene.start(
      installed("prometheus-mqtt-exporter"),
      ["-config", file.string, "-listen-address", "127.0.0.1", "-listen-port", "\(port)"], name: "exporter")
    try await eventually("the exporter's connection") {
      if let end = process.end { throw WaitedInVain("the exporter ended: \(end)\n\(process.errors)") }
      return try await page().contains("\nmqtt2prometheus_connected 1")
    }
  }

  func end() async {
    process.send(SIGTERM)
    _ = await process.ended()
  }

  /// The value on the line of the exporter's page that begins so; `nil` if there is none.
  func value(_ start: String) async throws -> Double? {
    try await page().split(separator: "\n").first { $0.hasPrefix(start) }
      .flatMap { Double($0.dropFirst(start.count).prefix { $0 != " " }) }
  }

  struct Sample {
    let value: Double
    /// Milliseconds since 1970, if the sample has a time.
    let time: Int64?
  }

  /// The sample of a metric on the exporter's page; `nil` if there is none for the worker.
  func sample(_ name: String, of worker: String) async throws -> Sample? {
    let start = "mqtt_fs_worker_\(name){sensor=\"\(worker)\",topic=\"workers/\(worker)/status\"} "
    guard let line = try await page().split(separator: "\n").first(where: { $0.hasPrefix(start) }) else { return nil }
    let words = line.dropFirst(start.count).split(separator: " ")
    return Sample(value: try #require(Double(words[0])), time: words.count > 1 ? Int64(words[1]) : nil)
  }

  func shows(_ name: String, of worker: String, _ value: Double) async throws {
    try await eventually("\(name) \(value) of \(worker)") { try await sample(name, of: worker)?.value == value }
  }

  private func page() async throws -> String {
    let program = """
      import sys, urllib.request
      try: print(urllib.request.urlopen(sys.argv[1]).read().decode())
      except OSError: pass
      """
    let get = try scene.start(installed("python3"), ["-c", program, "http://127.0.0.1:\(port)/metrics"], name: "get")
    _ = try await get.end()
    return get.output
  }
}
