import Jobs
import Logging
import MQTT
import Steps

/// Finds out on MQTT 3.1.1 whether a broker has shared subscriptions. One without them may take `$share/…` for the name of an
/// ordinary topic: it accepts the subscription, and no request ever comes.
struct ShareTrial: Sendable {
  /// The options of a session of this worker's.
  let options: SessionOptions
  let filters: [TopicFilter]
  let control: ControlSession
  let logger: Logger

  /// Waits, so that a worker that soon has a job tries nothing; then becomes the only member of a group on the topic of
  /// nudges, and warns if none of this worker's own comes back. What cannot be tried is not told.
  func run() async {
    guard options.version == .v311, filters.contains(where: { $0.shareName != nil }),
      (try? await Task.sleep(for: control.presence.settings.heartbeat)) != nil
    else { return }
    let name = "trial-\(UInt32.random(in: 0 ... .max))"
    guard let filter = try? TopicFilter("$share/\(name)/\(Topics.waiting)") else { return }
    var options = options
    options.clientID += "-\(name)"
    options.start = .clean
    options.will = nil
    let isShared = try? await Session.withSession(options, giveUpAfter: .seconds(10), logger: logger) { session in
      try await session.subscribe(filter)
      return await isHeard(on: session)
    }
    guard isShared == false, !Task.isCancelled else { return }
    logger.warning(
      """
      no request may ever come: the broker accepts $share, but what is published to '\(filter.pattern)' does not reach the \
      only member of a group there, so it takes $share for an ordinary topic, or the account may not read that; \
      'mqtt-fs-worker doctor broker' tells
      """)
  }

  private func isHeard(on session: Session) async -> Bool {
    for _ in 0..<3 {
      control.nudges.send(filters.first?.text ?? "")
      let isHeard: Bool? = await wait(atMost: .seconds(2)) {
        for await case .delivery(let delivery) in session.events {
          await delivery.acknowledge()
          return true
        }
        return false
      }
      if isHeard == true { return true }
    }
    return false
  }
}
