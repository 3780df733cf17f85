internal import CMosquitto
private import Glibc

/// A libmosquitto property list that is freed when it goes out of scope.
struct PropertyList: ~Copyable {
  private(set) var pointer: OpaquePointer?

  deinit {
    var list = pointer
    mosquitto_property_free_all(&list)
  }

  /// The properties of an outgoing PUBLISH, or of a will, which has the same ones.
  init(_ properties: MessageProperties) throws(MQTTError) {
    pointer = nil
    if let topic = properties.responseTopic {
      try check("Response Topic", mosquitto_property_add_string(&pointer, MQTT_PROP_RESPONSE_TOPIC.id, topic))
    }
    if let data = properties.correlationData {
      guard data.count <= UInt16.max else { throw .usage("Correlation Data is longer than 65,535 bytes") }
      try check(
        "Correlation Data",
        mosquitto_property_add_binary(&pointer, MQTT_PROP_CORRELATION_DATA.id, data, UInt16(data.count)))
    }
    if let type = properties.contentType {
      try check("Content Type", mosquitto_property_add_string(&pointer, MQTT_PROP_CONTENT_TYPE.id, type))
    }
    if let seconds = properties.messageExpiry {
      try check(
        "Message Expiry", mosquitto_property_add_int32(&pointer, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL.id, seconds))
    }
    for pair in properties.userProperties {
      try check(
        "User Property",
        mosquitto_property_add_string_pair(&pointer, MQTT_PROP_USER_PROPERTY.id, pair.name, pair.value))
    }
  }

  /// The properties of CONNECT.
  init(connecting options: SessionOptions) throws(MQTTError) {
    pointer = nil
    try addSessionExpiry(options.sessionExpiry)
    try check(
      "Receive Maximum",
      mosquitto_property_add_int16(&pointer, MQTT_PROP_RECEIVE_MAXIMUM.id, options.receiveMaximum))
    try check(
      "Maximum Packet Size",
      mosquitto_property_add_int32(&pointer, MQTT_PROP_MAXIMUM_PACKET_SIZE.id, options.maximumPacketSize))
  }

  /// The properties of a DISCONNECT that changes when the session ends.
  init(sessionExpiry seconds: UInt32) throws(MQTTError) {
    pointer = nil
    try addSessionExpiry(seconds)
  }

  /// The library owns the list now, and frees it.
  consuming func handOver() {
    discard self
  }

  private mutating func addSessionExpiry(_ seconds: UInt32) throws(MQTTError) {
    try check(
      "Session Expiry", mosquitto_property_add_int32(&pointer, MQTT_PROP_SESSION_EXPIRY_INTERVAL.id, seconds))
  }
}

private func check(_ name: String, _ code: Int32) throws(MQTTError) {
  guard code == MOSQ_ERR_SUCCESS.code else {
    throw .usage("\(name) cannot be sent: \(String(cString: mosquitto_strerror(code)))")
  }
}

extension MessageProperties {
  /// Copies the properties of a received PUBLISH; they are freed when the library's callback returns.
  init(copying list: OpaquePointer?) {
    self.init()
    var entry = list
    while let property = entry {
      switch mosquitto_property_identifier(property) {
      case MQTT_PROP_RESPONSE_TOPIC.id:
        responseTopic = string(property, MQTT_PROP_RESPONSE_TOPIC.id)
      case MQTT_PROP_CONTENT_TYPE.id:
        contentType = string(property, MQTT_PROP_CONTENT_TYPE.id)
      case MQTT_PROP_CORRELATION_DATA.id:
        var data: UnsafeMutableRawPointer?
        var count: UInt16 = 0
        mosquitto_property_read_binary(property, MQTT_PROP_CORRELATION_DATA.id, &data, &count, false)
        correlationData = Array(UnsafeRawBufferPointer(start: data, count: Int(count)))
        free(data)
      case MQTT_PROP_MESSAGE_EXPIRY_INTERVAL.id:
        var seconds: UInt32 = 0
        mosquitto_property_read_int32(property, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL.id, &seconds, false)
        messageExpiry = seconds
      case MQTT_PROP_USER_PROPERTY.id:
        var name: UnsafeMutablePointer<CChar>?
        var value: UnsafeMutablePointer<CChar>?
        let found = mosquitto_property_read_string_pair(property, MQTT_PROP_USER_PROPERTY.id, &name, &value, false)
        // From 2.1 on, an empty string is a null pointer.
        if found != nil {
          let pair = [name, value].map { $0.map { String(cString: $0) } ?? "" }
          userProperties.append(UserProperty(name: pair[0], value: pair[1]))
        }
        free(name)
        free(value)
      default:
        break
      }
      entry = mosquitto_property_next(property)
    }
  }
}

private func string(_ property: OpaquePointer, _ id: Int32) -> String? {
  var text: UnsafeMutablePointer<CChar>?
  mosquitto_property_read_string(property, id, &text, false)
  defer { free(text) }
  return text.map { String(cString: $0) }
}

extension mqtt5_property {
  /// The identifier as the library's functions take it.
  fileprivate var id: Int32 { Int32(rawValue) }
}

/// The value of `property` in a CONNACK, if it is there.
func byteProperty(_ list: OpaquePointer?, _ property: mqtt5_property) -> UInt8? {
  var value: UInt8 = 0
  return mosquitto_property_read_byte(list, property.id, &value, false) == nil ? nil : value
}

func int16Property(_ list: OpaquePointer?, _ property: mqtt5_property) -> UInt16? {
  var value: UInt16 = 0
  return mosquitto_property_read_int16(list, property.id, &value, false) == nil ? nil : value
}

func int32Property(_ list: OpaquePointer?, _ property: mqtt5_property) -> UInt32? {
  var value: UInt32 = 0
  return mosquitto_property_read_int32(list, property.id, &value, false) == nil ? nil : value
}
