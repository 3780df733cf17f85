internal import CMosquitto

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
  /// How long the broker may pause between two messages of the session's queue. Most send all that Receive Maximum allows at
  /// once; some send one at each of their retries.
  public var queueInterval = Duration.zero
  /// The number of unacknowledged messages that the broker may send (MQTT 5, section 3.1.2.11.3).
  public var receiveMaximum: UInt16 = UInt16.max
  /// How many messages the session reads before the first is decided. Their PUBACKs are sent together: use
  /// more than 1 only if the receiver may acknowledge several at once.
  public var readsAhead = 1
  /// The maximum size in bytes of a packet from the broker; it drops larger messages (MQTT 5, section 3.1.2.11.4).
  /// 3.1.1 has no such limit.
  public var maximumPacketSize: UInt32 = 1 << 20
  /// How long a connection with a small Receive Maximum may bring no message before it is replaced: mosquitto (2.0.11
  /// and 2.0.22) counts a message that it dropped for its size as unacknowledged, and may stop sending.
  public var quietFor: Duration = .seconds(300)
  /// How long the broker may leave requests unanswered before the session tries another connection.
  public var answerWithin: Duration = .seconds(30)
  /// Whether a session fails that has waited for an answer for as long as it may be without a connection.
  public var failsWithoutAnswer = false
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

  /// The broker's address, for messages.
  var broker: String { "\(host):\(port)" }
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

/// The broker's limits on a connection, as its CONNACK states them (MQTT 5, section 3.2.2.3).
///
/// A 3.1.1 broker states none, although it may have limits: then everything counts as allowed.
public struct SessionLimits: Sendable, Equatable {
  /// The maximum size in bytes of a packet to the broker, headers included, as in ``Message/packetSize(_:)``; `nil`
  /// when no limit is known. A broker that announced none and then refused a packet is known to accept less than that
  /// packet's size.
  public internal(set) var maximumPacketSize: Int?
  /// Whether the broker keeps retained messages. If it does not, the session sends retained messages unretained.
  public internal(set) var isRetainAvailable = true
  /// The highest QoS that the broker accepts.
  public internal(set) var maximumQoS = QoS.atLeastOnce
  /// How long the broker keeps the session after the connection, in seconds: the requested value, unless it states
  /// another.
  public internal(set) var sessionExpiry: UInt32 = 0
  /// Whether the broker has shared subscriptions (`$share/…`).
  public internal(set) var hasSharedSubscriptions = true

  init() {}

  /// The requested values, before a broker has answered.
  init(_ options: SessionOptions) {
    sessionExpiry = options.sessionExpiry
  }

  /// The values that a CONNACK states in answer to `options`.
  init(_ options: SessionOptions, _ properties: OpaquePointer?) {
    self.init(options)
    maximumPacketSize = int32Property(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE).map { Int($0) }
    isRetainAvailable = byteProperty(properties, MQTT_PROP_RETAIN_AVAILABLE) != 0
    if byteProperty(properties, MQTT_PROP_MAXIMUM_QOS) == 0 { maximumQoS = .atMostOnce }
    sessionExpiry = int32Property(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL) ?? options.sessionExpiry
    hasSharedSubscriptions = byteProperty(properties, MQTT_PROP_SHARED_SUB_AVAILABLE) != 0
  }
}
