import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

@Suite struct StepSequenceTests {
  private let volume: VolumeFixture

  init() throws {
    volume = try VolumeFixture()
  }

  /// The timeout shows whether a step continues after the cancellation.
  @Test func stepThatBeginsAsTheJobIsCanceledEndsAndIsNoneThatCleansUp() async throws {
    let stop = StopRequest()
    let definition = """
      {"steps": [{"run": "sleep 100", "timeout": "10s"}, {"run": "sleep 0.1", "always": true}, "true"]}
      """
    let report = try await volume.runSteps(definition, until: stop) { step in
      if step == 0 { stop.raise(.terminate, reason: .canceled) }
    }
    #expect(report.steps.map(\.status) == [.canceled, .success, .skipped])
  }
}
