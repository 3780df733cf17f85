/// How long to wait before the next try to connect: 1 s, then twice as long each time, up to 30 s, each shortened or
/// stretched at random by a quarter so that a fleet does not come back all at once.
struct Backoff {
  private var tries = 0

  mutating func next() -> Duration {
    let seconds = min(30, Double(1 << min(tries, 5)))
    tries += 1
    return .seconds(min(30, max(1, seconds * Double.random(in: 0.75...1.25))))
  }

  mutating func reset() {
    tries = 0
  }
}

extension Duration {
  /// Seconds with one decimal, as in `1.5 s`.
  var formattedSeconds: String {
    let tenths = Int((self / .milliseconds(100)).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
