package import Jobs
package import Logging
package import MQTT
package import Signing
import Volume
import Worker

/// A message on the job topic, read as a request.
package struct Arrival: Sendable {
  package let delivery: Delivery
  package let request: JobRequest
  package var envelope: Envelope

  /// Reads `delivery`. Throws ``InvalidInput`` with the sentence for the sender when the message is not a valid
  /// request.
  package init(_ delivery: Delivery, _ session: SessionEpoch, _ reader: RequestReader) throws(InvalidInput) {
    self.delivery = delivery
    let message = delivery.message
    request = try reader.arriving(message.payload)
    let properties = message.properties
    if let data = properties.correlationData, data.count > RequestID.longest {
      throw InvalidInput(
        id: request.id,
        description: "the Correlation Data has \(data.count) bytes, and at most \(RequestID.longest) are taken; "
          + "it goes back with the result")
    }
    envelope = Envelope(
      payload: String(decoding: message.payload, as: UTF8.self), topic: message.topic,
      requestId: request.requestID.map { RequestID($0) } ?? RequestID(correlationData: properties.correlationData)
        ?? RequestID(delivery, session),
      responseTopic: properties.responseTopic, correlationData: properties.correlationData,
      expiry: properties.messageExpiry)
  }
}

extension Arrival {
  /// Logs oddities of the request that do not make it invalid, for a worker that listens to `filter`.
  package func warn(_ filter: TopicFilter, _ logger: Logger) {
    let metadata: Logger.Metadata = ["job": "\(request.id)"]
    let message = delivery.message
    request.warn(logger)
    if message.qos == .atMostOnce {
      logger.warning("the request came with QoS 0 and could have been lost; publish with QoS 1", metadata: metadata)
    }
    if !filter.matches(message.topic) {
      logger.warning(
        "the request came on '\(message.topic)', which '\(filter.text)' does not match", metadata: metadata)
    }
  }
}

extension RequestID {
  /// A key for a message whose sender gave it none.
  fileprivate init(_ delivery: Delivery, _ session: SessionEpoch) {
    let (message, properties) = (delivery.message, delivery.message.properties)
    var sent = message.payload
    // Text in MQTT holds no NUL (MQTT 5, section 1.5.4), so NULs separate the parts unambiguously.
    for part in [Array(message.topic.utf8), Array((properties.responseTopic ?? "").utf8)] { sent += [0] + part }
    if let data = properties.correlationData { sent += [0] + data }
    self.init(
      session: session.clientID, epoch: session.name, packetID: delivery.packetID,
      digest: String(digestText(of: sent).dropFirst("sha256:".utf8.count).prefix(32)), instant: .random(in: 0 ... .max),
      isRedelivery: delivery.isRedelivery)
  }

  /// Correlation Data as a key: unchanged if it is one line of UTF-8, else in hexadecimal. `nil` if there is none, or
  /// if it has more than ``RequestID/longest`` bytes.
  package init?(correlationData: [UInt8]?) {
    guard let data = correlationData, data.count <= RequestID.longest else { return nil }
    if let text = String(validating: data, as: UTF8.self), text.allSatisfy({ !$0.isNewline && $0 != "\0" }) {
      self.init(text)
    } else {
      self.init("0x\(String(hexadecimal: data))")
    }
  }
}
