import Client
import Jobs
import Volume

// A job in words, for people.
extension JobSummary {
  /// How far a running job is: `step 2 of 3: build, 6 s`. Its time by the clock of its worker.
  func progressText(at now: Timestamp = .now) -> String? {
    let time = phaseSince.flatMap { Timestamp($0) }.map { ", \(elapsedText(since: $0, at: now))" } ?? ""
    switch phase {
    case .staging: return "staging its files\(time)"
    case .ending: return "bringing its files back\(time)"
    case .running, nil:
      guard let step else { return nil }
      return stepHeading(step, of: steps, stepName) + time
    }
  }

  /// The state, or how it ended.
  var stateText: String {
    guard let status else { return state.rawValue }
    return status == .failed ? "\(status.rawValue) (\(exitCode ?? 1))" : status.rawValue
  }

  /// Since when it has been in its state.
  func ageText(at now: Timestamp = .now) -> String? {
    (since ?? end).flatMap { Timestamp($0) }.map { agoText($0, at: now) }
  }

  /// How long it took, or has taken so far.
  func tookText(at now: Timestamp = .now) -> String? {
    if let durationMs { return durationText(milliseconds: durationMs) }
    guard state == .running else { return nil }
    return since.flatMap { Timestamp($0) }.map { elapsedText(since: $0, at: now) }
  }
}

/// `step 2 of 3: build`, counted from 1.
func stepHeading(_ index: Int, of count: Int?, _ title: String?) -> String {
  let number = index.addingReportingOverflow(1).partialValue
  return "step \(number)" + (count.map { " of \($0)" } ?? "") + (title.map { ": \($0)" } ?? "")
}

extension Console {
  /// Tells how job `id` ended. A success is told only on a terminal.
  func tell(_ result: ResultMessage, of id: JobID, used: String = "") {
    let took = result.durationMs.map { " after \(durationText(milliseconds: $0))" } ?? ""
    let text = "job \(id): \(result.status.rawValue)\(took)\(used)"
    guard result.status != .success else { return show(text) }
    say(result.error.map { "\(text): \($0)" } ?? text)
  }
}
