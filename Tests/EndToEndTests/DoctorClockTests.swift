import SystemPackage
import TestSupport
import Testing

/// What `doctor` says about the clocks that stamp a volume's files.
@Suite(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
struct DoctorClockTests {
  /// The line about the clock of a volume with these rules.
  private func clock(_ rules: [String]) async throws -> String {
    var line = ""
    try await Scene.play(.down) { scene in
      try await NetworkVolume.showing(scene.root.appending("volume"), at: scene.jobs, in: scene, rules: rules) { _ in
        let run = try await scene.run(["doctor", "volume", "-j", scene.jobs.string], within: .seconds(300))
        #expect(run.end == .code(0), "\(run.output)\(run.errors)")
        line = try #require(run.output.split(separator: "\n").first { $0.contains(" clock ") }.map(String.init))
      }
    }
    return line
  }

  /// Two minutes are more than a lease.
  @Test(arguments: ["create", "touch", "write"], [120, -120])
  func clockThatStampsOneOfCreationWritingAndTouchingIsFound(_ operation: String, _ seconds: Int) async throws {
    let line = try await clock(["clock \(operation) \(seconds)"])
    #expect(line.contains("FUSE") && line.contains("unchanged for a whole lease"), "\(line)")
    #expect(line.contains("creation, writing and touching differ by"), "\(line)")
    let digits = line.split(separator: " ").drop { $0 != "differ" }.dropFirst(2).first
    #expect((110_000...130_000).contains(digits.flatMap { Int($0) } ?? 0), "\(line)")
  }

  @Test func oneClockForAllIsNamedWithItsFileSystem() async throws {
    let line = try await clock([])
    #expect(line.contains("FUSE") && line.contains("unchanged for a whole lease"), "\(line)")
    #expect(!line.contains("differ by"), "\(line)")
  }
}
