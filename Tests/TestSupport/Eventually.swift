/// How long tests wait for something that must happen. It is far longer than needed, so only a defect reaches it.
public let patience: Duration = .seconds(150)

/// Waits until `condition` gives a value, and returns it. Throws ``WaitedInVain`` with `what` when `limit` is over.
public func eventually<T>(
  _ what: @autoclosure () -> String, within limit: Duration = patience, _ condition: () async throws -> T?
) async throws -> T {
  let deadline = ContinuousClock.now + limit
  // The interval grows: many tests wait at once, and each look takes time from the processes that they wait for.
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

/// A test waited for something that did not happen.
public struct WaitedInVain: Error, CustomStringConvertible {
  /// What the test waited for.
  public let description: String

  /// An error that names what did not happen.
  public init(_ description: String) {
    self.description = description
  }
}
