/// How long tests wait for something that must happen: far longer than it takes, so that only a defect fails them.
public let patience: Duration = .seconds(20)

/// Waits until `condition` gives a value, and returns it. Throws ``WaitedInVain`` with `what` when `limit` is over.
public func eventually<T>(
  _ what: @autoclosure () -> String, within limit: Duration = patience, _ condition: () async throws -> T?
) async throws -> T {
  let deadline = ContinuousClock.now + limit
  while true {
    if let value = try await condition() { return value }
    guard ContinuousClock.now < deadline else { throw WaitedInVain("\(what()) did not happen within \(limit)") }
    try await Task.sleep(for: .milliseconds(5))
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
