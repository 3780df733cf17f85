internal import Logging

/// Tells whether another client has this one's id, where a broker ends a connection without a word: 3.1.1 has none, and
/// mosquitto 2.0.11 has none on MQTT 5 either.
///
/// It holds a connection of its own, under an id that nobody else has. When the broker goes, or the network, it loses that,
/// too. When only this client's connections are cut, again and again, they are given to somebody else (MQTT 5, section 3.1.4).
final class Witness {
  private let session: Session
  /// Its connection when the client's began.
  private var seen: Int?
  private var cuts = 0

  init(_ options: SessionOptions) throws(MQTTError) {
    var options = options
    options.clientID += "-\(UInt32.random(in: 0...UInt32.max))"
    options.start = .clean
    options.will = nil
    options.isWitness = true
    // What becomes of its connection is of no interest to anybody else.
    session = try Session(options, logger: Logger(label: "witness") { _ in SwiftLogNoOpLogHandler() })
  }

  deinit {
    session.drop()
  }

  /// The client's connection begins.
  func connectionBegan() {
    seen = session.standingConnection
  }

  /// Whether somebody else has the client's id; asked when its connection was cut soon, before the next try: by then the
  /// witness has noticed if it was cut off as well.
  func seesAnother() -> Bool {
    guard let connection = seen, session.standingConnection == connection else {
      cuts = 0
      return false
    }
    seen = nil
    cuts += 1
    return cuts >= 2
  }
}
