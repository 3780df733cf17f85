private import CMosquitto
private import Glibc

extension Mosquitto {
  /// What a code of the library means for the session.
  func error(_ code: Int32, errno error: Int32 = 0) -> MQTTError {
    if let refusal = tls?.problem(of: options.host) ?? tls?.handshake.refusal {
      return .tls("TLS with \(broker): \(refusal)")
    }
    if let tls, tls.handshake.asksForCertificate, !isAccepted,
      code == MOSQ_ERR_CONN_LOST.code || (code == MOSQ_ERR_ERRNO.code && [EPROTO, EPIPE].contains(error))
    {
      return .unreachable(
        "TLS with \(broker): the broker broke off after the handshake; it may not accept this client's certificate")
    }
    switch code {
    case MOSQ_ERR_TLS.code:
      let reason = errors.joined(separator: "; ")
      guard !reason.isEmpty, !reason.contains("unexpected eof") else {
        return .unreachable(
          "TLS with \(broker): the broker closed the connection during the handshake; does it speak TLS on this port?")
      }
      // What is no TLS at all looks like a record of some other version.
      guard !reason.contains("wrong version number"), !reason.contains("packet length too long") else {
        return .tls("TLS with \(broker): it does not speak TLS on this port; give the port of TLS, or mqtt://")
      }
      return .unreachable("TLS with \(broker): \(reason)")
    case MOSQ_ERR_ERRNO.code:
      return .unreachable("broker \(broker): \(String(cString: strerror(error)))")
    case MOSQ_ERR_EAI.code:
      return .unreachable("broker \(broker): the host name cannot be resolved")
    case MOSQ_ERR_CONN_LOST.code:
      guard options.tls == nil, !isAccepted else { return .unreachable("broker \(broker) closed the connection") }
      return .unreachable(
        "broker \(broker) closed the connection before it answered: it may have as many connections as it takes, or speak TLS "
          + "on this port (mqtts://)")
    case Int32(LIBMOSQUITTO_FAILED):
      return .unreachable("broker \(broker) sent something on which libmosquitto fails: its connection is given up")
    case MOSQ_ERR_KEEPALIVE.code:
      return .unreachable("broker \(broker) does not answer pings")
    default:
      return .unreachable("broker \(broker): \(String(cString: mosquitto_strerror(code)))")
    }
  }

  var broker: String { "\(options.host):\(options.port)" }
}
