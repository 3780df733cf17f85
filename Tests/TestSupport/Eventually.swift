/// How long tests wait for something that must happen: far longer than it takes, so that only a defect fails them.
public let patience: Duration = .seconds(60)

/// Waits until `condition` gives a value, and returns it. Throws ``WaitedInVain`` with `what` when `limit` is over.
public func eventually<T>(
  _ what: @autoclosure () -> String, within limit: Duration = patience, _ condition: () async throws -> T?
) async throws -> T {
  let deadline = ContinuousClock.now + limit
  // What takes long is looked at less often: many tests wait at once, and looking takes time from what they wait for.
  var pause: Duration = .milliseconds(2)
  while true {
    if let value = try await condition() { return value }
    guard ContinuousClock.now < deadline else { throw WaitedInVain("\(what()) did not happen within \(limit)") }
    try await Task.sleep(for: pause)
    pause = min(pause * 1.25, .milliseconds(50))
  }
}

/// Waits until `condition` holds. Throws ``WaitedInVain`` with `what` when `limit` is over.
public func eventually(
  _ what: @autoclosure () -> String, within limit: Duration = patience, _ condition: () async throws -> Bool
) async throws {
  try await eventually(what(), within: limit) { try await condition() ? () : nil }
}

/// What a test waited for did not come.
public struct WaitedInVain: Error, CustomStringConvertible {
  /// What it was.
  public let description: String

  /// An error that says what did not come.
  public init(_ description: String) {
    self.description = description
  }
}
