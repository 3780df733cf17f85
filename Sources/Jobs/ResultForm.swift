extension JobResult {
  /// The largest result.json that is written or read.
  package static let largestFile = 1 << 28

  /// How much of a result is written. A volume that is full has room for less than all.
  package enum Form: Int {
    case whole
    /// Without what lies in results/ anyhow, and what was deleted or left out.
    case withoutLists
    /// With the beginnings of the steps' commands.
    case withShortCommands
    /// Without the steps.
    case withoutSteps

    /// The next that takes less room.
    package var shorter: Form? { Form(rawValue: rawValue + 1) }
  }

  private static let shortCommand = 80

  /// The result with what `form` leaves it, and a word on what is missing in `skipped`.
  package func inForm(_ form: Form) -> JobResult {
    guard form != .whole else { return self }
    var result = self
    var missing =
      "the volume has no room for all of it: \(artifacts.count) artifacts, \(deleted.count) deleted and "
      + "\(skipped.count) skipped files are not listed; what came back lies in results"
    (result.artifacts, result.deleted) = ([], [])
    if form == .withShortCommands {
      missing += "; commands are cut"
      for index in result.steps.indices {
        result.steps[index].command = String(result.steps[index].command.prefix(JobResult.shortCommand))
      }
    }
    if form == .withoutSteps {
      missing += "; nor are \(steps.count) steps"
      result.steps = []
    }
    result.skipped = [SkippedPath(path: WorkspacePath("results/result.json"), reason: missing)]
    return result
  }
}
