internal import Logging

/// Detects that another client uses this one's id, where a broker ends a connection without a reason: 3.1.1 has none,
/// and mosquitto 2.0.11 sends none on MQTT 5 either.
///
/// It holds a separate connection under a unique id. When the broker or the network fails, it loses that, too. When
/// only this client's connections are closed, again and again, another client takes them over (MQTT 5, section 3.1.4).
final class Witness {
  private let session: Session
  /// The witness's connection when the client's began.
  private var seen: Int?
  private var cuts = 0

  /// A connection that speaks `version`, or what `options` says.
  init(_ options: SessionOptions, _ version: ProtocolVersion? = nil) throws(MQTTError) {
    var options = options
    options.version = version ?? options.version
    options.clientID += "-\(UInt32.random(in: 0...UInt32.max))"
    options.start = .clean
    options.will = nil
    options.isWitness = true
    // The state of its connection interests no one else: log nothing.
    session = try Session(options, logger: Logger(label: "witness") { _ in SwiftLogNoOpLogHandler() })
  }

  deinit {
    session.drop()
  }

  /// Whether the broker accepts it at present.
  var isConnected: Bool { session.standingConnection != nil }

  /// The client's connection begins.
  func connectionBegan() {
    seen = session.standingConnection
  }

  /// Whether another client uses the id; call it before the next attempt after a connection was closed early: by then
  /// the witness has noticed if it lost its own.
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
