/// What a session is opened with.
public struct SessionOptions: Sendable {
  /// The broker's host name or address.
  public var host: String
  /// The broker's TCP port.
  public var port: UInt16
  /// The client id; a durable session belongs to it.
  public var clientID: String
  /// The version of MQTT.
  public var version = ProtocolVersion.v5
  /// Whether an earlier session of the client id is taken up.
  public var start = SessionStart.resume
  /// How long the broker keeps the session after the connection ended, in seconds. On 3.1.1 a session that is not
  /// clean has no end.
  public var sessionExpiry: UInt32 = 0
  /// How many messages the broker may send before one is acknowledged (MQTT 5, section 3.1.2.11.3).
  public var receiveMaximum: UInt16 = UInt16.max
  /// The most bytes that a packet from the broker may have; it drops larger messages (MQTT 5, section 3.1.2.11.4). 3.1.1 has
  /// no such bound.
  public var maximumPacketSize: UInt32 = 1 << 20
  /// How long a connection with a small Receive Maximum may bring nothing, until another takes its place: mosquitto (2.0.11 and
  /// 2.0.22) counts a message that it dropped for its size as one that is not acknowledged, and sends no more.
  public var quietFor: Duration = .seconds(300)
  /// How long the broker may leave what it was asked and sent without any answer, until another connection is tried.
  public var answerWithin: Duration = .seconds(30)
  /// Seconds without traffic until a PINGREQ. A dead connection is found within one and a half times this.
  public var keepAlive: UInt16 = 15
  /// User name and password, if any.
  public var credentials: Credentials?
  /// TLS, if any.
  public var tls: TLSOptions?
  /// Whether it is there to watch another; nobody watches it.
  var isWitness = false
  /// What the broker publishes when the connection ends without a DISCONNECT.
  public var will: Message?

  /// Options for a durable MQTT 5 session at `host` that keep their defaults until set.
  public init(host: String, port: UInt16, clientID: String) {
    self.host = host
    self.port = port
    self.clientID = clientID
  }
}

/// A version of the protocol.
public enum ProtocolVersion: Int32, Sendable {
  /// MQTT 3.1.1, whose protocol level is 4.
  case v311 = 4
  /// MQTT 5.
  case v5 = 5
}

/// What becomes of an earlier session at connect.
public enum SessionStart: Sendable {
  /// It goes on where it was (Clean Start 0).
  case resume
  /// It is discarded (Clean Start 1).
  case clean
}

/// A user name with an optional password.
public struct Credentials: Sendable {
  /// The user name.
  public var username: String
  /// The password.
  public var password: String?

  /// Credentials as they are sent in CONNECT.
  public init(username: String, password: String?) {
    self.username = username
    self.password = password
  }
}

/// How the connection is protected. The broker's host name is always checked.
public struct TLSOptions: Sendable {
  /// A PEM file with the CAs to trust; the system's when absent.
  public var caFile: String?
  /// A PEM file with this client's certificate.
  public var certificateFile: String?
  /// The PEM file with the certificate's key.
  public var keyFile: String?

  /// TLS with the system's CAs and no client certificate, unless said otherwise.
  public init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
    self.caFile = caFile
    self.certificateFile = certificateFile
    self.keyFile = keyFile
  }
}
