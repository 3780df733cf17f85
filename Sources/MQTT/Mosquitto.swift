internal import CMosquitto
private import Glibc

/// The only owner of a `struct mosquitto *`. It is used on one thread only.
///
/// The library calls back only from inside ``read()``, ``write()``, ``maintain()`` and ``connect()``; the callbacks
/// append to ``inbox``, which is processed after the call has returned, so no code reenters the library.
///
/// `mosquitto_threaded_set` makes the library queue every packet, PUBACKs included, until ``write()`` is called. This
/// is behaviour of libmosquitto, not its contract: `WithheldAcknowledgementTests` checks the installed version for it.
final class Mosquitto {
  var inbox: [Event] = []
  /// The last errors that TLS reported; they explain `MOSQ_ERR_TLS`.
  var errors: [String] = []
  let handle: OpaquePointer
  let options: SessionOptions
  let tls: TLSContext?
  var isAccepted = false
  /// `false` after an assertion of the library failed: no function may be called for this client any more.
  private(set) var isUsable = true
  private var lastSocket: Int32 = -1
  var nextIsRedelivery = false
  /// Whether a packet may have been sent in part.
  private(set) var isHalfWritten = false
  private var lastWrite = ContinuousClock.now
  /// The keep-alive in seconds: this client's, or the broker's instead (MQTT 5, section 3.2.2.3.14). 0 disables pings.
  var keepAlive: UInt16

  init(_ options: SessionOptions) throws(MQTTError) {
    tls = if let tls = options.tls { try TLSContext(tls, host: options.host) } else { nil }
    // The first use initializes the library.
    _ = Mosquitto.library
    guard let handle = mosquitto_new(options.clientID, options.start == .clean, nil) else {
      throw .usage(
        "libmosquitto does not accept the client id '\(options.clientID)': \(String(cString: strerror(errno)))")
    }
    self.handle = handle
    self.options = options
    keepAlive = options.keepAlive
    mosquitto_user_data_set(handle, Unmanaged.passUnretained(self).toOpaque())
    setCallbacks()
    try configure()
  }

  deinit {
    // Closes the socket; queued packets are not sent.
    if isUsable { mosquitto_destroy(handle) } else { Glibc.close(lastSocket) }
  }

  private static let library: Void = {
    mosquitto_lib_init()
    BrokenPipe.isAnError()
  }()

  // MARK: Connection

  /// Opens the connection and queues CONNECT. Blocks during name resolution and TCP connect.
  func connect() throws(MQTTError) {
    errors = []
    isAccepted = false
    isHalfWritten = false
    keepAlive = options.keepAlive
    tls?.handshake.begin()
    inbox = []
    let code: Int32
    if options.version == .v5 {
      let properties = try PropertyList(connecting: options)
      code = mosquitto_connect_bind_v5(
        handle, options.host, Int32(options.port), Int32(options.keepAlive), nil, properties.pointer)
    } else {
      code = mosquitto_connect_bind(handle, options.host, Int32(options.port), Int32(options.keepAlive), nil)
    }
    let error = errno
    guard code == MOSQ_ERR_SUCCESS.code else { throw self.error(code, errno: reason(of: error)) }
    if let tls, let connection = mosquitto_ssl_get(handle) {
      try shakeHands(tls, OpaquePointer(connection))
    }
    // A peer that vanished is detected half a keep-alive after the PINGREQ that it did not acknowledge (tcp(7)).
    setSocketOption(TCP_USER_TIMEOUT, Int32(options.keepAlive) * 500)
  }

  /// Versions of the library do the handshake at different times and report few details: do it before the library does.
  private func shakeHands(_ tls: TLSContext, _ connection: OpaquePointer) throws(MQTTError) {
    let limit = Duration.seconds(max(5, Int(options.keepAlive)))
    do {
      try tls.handshake.perform(connection, over: socket, within: limit)
    } catch {
      cut()
      guard !error.isTimeout else {
        throw .unreachable("TLS with \(broker): no answer to the handshake within \(limit.components.seconds) s")
      }
      errors = error.reasons
      throw self.error(MOSQ_ERR_TLS.code)
    }
  }

  var socket: Int32 { isUsable ? mosquitto_socket(handle) : -1 }

  var wantsToWrite: Bool { isUsable && mosquitto_want_write(handle) }

  /// The library received a packet that it does not understand.
  static let noAnswer = MOSQ_ERR_KEEPALIVE.code
  static let protocolError = MOSQ_ERR_PROTOCOL.code

  /// Ends the connection for the broker; the library closes it when it connects again.
  func cut() {
    shutdown(socket, Int32(SHUT_RDWR))
  }

  /// Whether the library has shut down its side of the connection (tcp(7), `TCP_INFO`): it leaves the DISCONNECT queued
  /// that it has already sent.
  var hasShutDown: Bool {
    var state: UInt8 = 0
    var count = socklen_t(1)
    // The first member of `tcp_info`.
    return getsockopt(socket, Int32(IPPROTO_TCP), TCP_INFO, &state, &count) == 0 && state != TCP_ESTABLISHED
  }

  private func caught(_ call: (OpaquePointer) -> Int32) -> Int32 {
    guard isUsable else { return MOSQ_ERR_NO_CONN.code }
    lastSocket = socket
    let code = call(handle)
    if code == Int32(LIBMOSQUITTO_FAILED) { isUsable = false }
    return code
  }

  func read() -> Int32 {
    // The broker sends the packets after a SUBACK only once this kernel acknowledges it: acknowledge at once. The
    // kernel resets this option, so set it before each read (tcp(7)).
    setSocketOption(TCP_QUICKACK, 1)
    return caught { caught_loop_read($0) }
  }

  func write() -> Int32 {
    lastWrite = .now
    defer { isHalfWritten = wantsToWrite }
    return caught { caught_loop_write($0) }
  }

  /// The time to let the library check whether a ping is due, if nothing is sent before.
  var nextPing: ContinuousClock.Instant {
    keepAlive == 0 ? .now + .seconds(3600) : lastWrite + .seconds(keepAlive)
  }

  func maintain() -> Int32 { isUsable ? mosquitto_loop_misc(handle) : MOSQ_ERR_NO_CONN.code }

  func queueDisconnect(sessionExpiry: UInt32?) throws(MQTTError) {
    guard options.version == .v5, let sessionExpiry else {
      mosquitto_disconnect(handle)
      return
    }
    let properties = try PropertyList(sessionExpiry: sessionExpiry)
    mosquitto_disconnect_v5(handle, 0, properties.pointer)
  }

  // MARK: Requests

  func publish(_ message: Message) throws(MQTTError) -> Int32 {
    let properties = try PropertyList(options.version == .v5 ? message.properties : MessageProperties())
    var id: Int32 = 0
    let code = caught {
      caught_publish(
        $0, &id, message.topic, Int32(clamping: message.payload.count), message.payload, message.qos.rawValue,
        message.retention == .retained, properties.pointer)
    }
    // The library uses the limit of an earlier CONNACK.
    guard code != MOSQ_ERR_OVERSIZE_PACKET.code else {
      throw .packetTooLarge(limit: message.packetSize(options.version) - 1)
    }
    try check(code, "publishing to '\(message.topic)'")
    return id
  }

  func subscribe(_ filters: [TopicFilter]) throws(MQTTError) -> Int32 {
    var id: Int32 = 0
    // A retained message is marked as retained even when it arrives live, and is not sent again when a subscription is
    // repeated (MQTT 5, section 3.8.3.1).
    let flags = MQTT_SUB_OPT_RETAIN_AS_PUBLISHED.rawValue | MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue
    let options = options.version == .v5 ? Int32(flags) : 0
    let texts = filters.map { strdup($0.text) }
    defer { texts.forEach { free($0) } }
    try check(
      mosquitto_subscribe_multiple(handle, &id, Int32(texts.count), texts, QoS.atLeastOnce.rawValue, options, nil),
      "subscribing to '\(filters.map(\.text).joined(separator: "', '"))'")
    return id
  }

  func unsubscribe(_ filter: TopicFilter) throws(MQTTError) -> Int32 {
    var id: Int32 = 0
    try check(mosquitto_unsubscribe_v5(handle, &id, filter.text, nil), "unsubscribing from '\(filter.text)'")
    return id
  }

  private func check(_ code: Int32, _ doing: @autoclosure () -> String) throws(MQTTError) {
    switch code {
    case MOSQ_ERR_SUCCESS.code: return
    case Int32(LIBMOSQUITTO_FAILED): throw error(code)
    case MOSQ_ERR_NO_CONN.code, MOSQ_ERR_CONN_LOST.code: throw .unreachable("\(doing()): no connection to the broker")
    default: throw .usage("\(doing()): \(String(cString: mosquitto_strerror(code)))")
    }
  }

  // MARK: Set-up

  private func configure() throws(MQTTError) {
    mosquitto_threaded_set(handle, true)
    mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, options.version.rawValue)
    mosquitto_int_option(handle, MOSQ_OPT_TCP_NODELAY, 1)
    mosquitto_int_option(handle, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(options.receiveMaximum))
    if let credentials = options.credentials {
      mosquitto_username_pw_set(handle, credentials.username, credentials.password)
    }
    if let will = options.will { try configure(will) }
    if let tls { try configure(tls) }
  }

  private func configure(_ will: Message) throws(MQTTError) {
    let properties = try PropertyList(options.version == .v5 ? will.properties : MessageProperties())
    try check(
      mosquitto_will_set_v5(
        handle, will.topic, Int32(will.payload.count), will.payload, will.qos.rawValue, will.retention == .retained,
        properties.pointer), "setting the will on '\(will.topic)'")
    // Freed with the will (mosquitto_will_set_v5 in mosquitto.h).
    properties.handOver()
  }

  private func configure(_ tls: TLSContext) throws(MQTTError) {
    mosquitto_int_option(handle, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0)
    let code = mosquitto_void_option(handle, MOSQ_OPT_SSL_CTX, UnsafeMutableRawPointer(tls.pointer))
    guard code == MOSQ_ERR_SUCCESS.code else {
      throw .tls("TLS cannot be set up: \(String(cString: mosquitto_strerror(code)))")
    }
  }

  private func setSocketOption(_ name: Int32, _ value: Int32) {
    var value = value
    setsockopt(socket, Int32(IPPROTO_TCP), name, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}

extension Mosquitto {
  /// Sends PUBACKs without the library, which writes its whole queue or nothing (MQTT 5, section 3.4; 3.1.1, section
  /// 3.4).
  ///
  /// Only for a connection that is closed next: the library would send them again. Returns `false` if they are not
  /// sent; then the broker sends the messages again.
  func acknowledgeOnly(_ packetIDs: [UInt16]) -> Bool {
    // After half of another packet they would be read as its other half.
    guard isUsable, !isHalfWritten, socket >= 0 else { return false }
    let bytes = packetIDs.flatMap { [0x40, 2, UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    guard tls != nil else {
      return send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) == bytes.count
    }
    guard let connection = mosquitto_ssl_get(handle) else { return false }
    ERR_clear_error()
    defer { ERR_clear_error() }
    return SSL_write(OpaquePointer(connection), bytes, Int32(bytes.count)) == Int32(bytes.count)
  }
}

/// The treatment of writes to a pipe or connection whose reader has closed it.
public enum BrokenPipe {
  /// Makes such a write fail with `EPIPE` (write(2)) instead of ending the process (signal(7), `SIGPIPE`). This applies
  /// to the whole process from then on; child processes need the default action restored.
  ///
  /// A ``Session`` calls this at its start: OpenSSL writes to connections that the broker has closed, and libmosquitto
  /// 2.1 also to one that it has shut down itself.
  public static func isAnError() {
    signal(SIGPIPE, SIG_IGN)
  }
}
