/// The options of a session.
public struct SessionOptions: Sendable {
  /// The broker's host name or address.
  public var host: String
  /// The broker's TCP port.
  public var port: UInt16
  /// The client id; a durable session belongs to it.
  public var clientID: String
  /// The version of MQTT.
  public var version = ProtocolVersion.v5
  /// Whether to resume an earlier session of the client id.
  public var start = SessionStart.resume
  /// How long the broker keeps the session after the connection ends, in seconds. On 3.1.1 a session that is not clean
  /// never expires.
  public var sessionExpiry: UInt32 = 0
  /// The number of unacknowledged messages that the broker may send (MQTT 5, section 3.1.2.11.3).
  public var receiveMaximum: UInt16 = UInt16.max
  /// The maximum size in bytes of a packet from the broker; it drops larger messages (MQTT 5, section 3.1.2.11.4).
  /// 3.1.1 has no such limit.
  public var maximumPacketSize: UInt32 = 1 << 20
  /// How long a connection with a small Receive Maximum may bring no message before it is replaced: mosquitto (2.0.11
  /// and 2.0.22) counts a message that it dropped for its size as unacknowledged, and may stop sending.
  public var quietFor: Duration = .seconds(300)
  /// How long the broker may leave requests unanswered before the session tries another connection.
  public var answerWithin: Duration = .seconds(30)
  /// Seconds without traffic before a PINGREQ. A dead connection is detected within one and a half times this.
  public var keepAlive: UInt16 = 15
  /// User name and password, if any.
  public var credentials: Credentials?
  /// TLS, if any.
  public var tls: TLSOptions?
  /// Whether this session is a ``Witness``, which needs none itself.
  var isWitness = false
  /// The Last Will: published when the connection ends without a DISCONNECT.
  public var will: Message?

  /// Creates options for a durable MQTT 5 session at `host`, with defaults otherwise.
  public init(host: String, port: UInt16, clientID: String) {
    self.host = host
    self.port = port
    self.clientID = clientID
  }
}

/// A version of the protocol.
public enum ProtocolVersion: Int32, Sendable {
  /// MQTT 3.1.1, protocol level 4.
  case v311 = 4
  /// MQTT 5.
  case v5 = 5
}

/// The treatment of an earlier session at connect.
public enum SessionStart: Sendable {
  /// It is resumed (Clean Start 0).
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

  /// Creates credentials for CONNECT.
  public init(username: String, password: String?) {
    self.username = username
    self.password = password
  }
}

/// The TLS options of a connection. The broker's host name is always verified.
public struct TLSOptions: Sendable {
  /// A PEM file with the trusted CAs; `nil`: the system's.
  public var caFile: String?
  /// A PEM file with this client's certificate.
  public var certificateFile: String?
  /// A PEM file with the certificate's private key.
  public var keyFile: String?

  /// Creates TLS options, by default with the system's CAs and no client certificate.
  public init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
    self.caFile = caFile
    self.certificateFile = certificateFile
    self.keyFile = keyFile
  }
}
