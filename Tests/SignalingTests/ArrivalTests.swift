import Testing

@testable import Jobs
@testable import MQTT
@testable import Signaling
@testable import Signing
@testable import Steps
@testable import Worker

@Suite struct ArrivalTests {
  private func arrival(
    _ payload: String, _ properties: MessageProperties = MessageProperties(), packetID: UInt16 = 1, again: Bool = false,
    in epoch: String = "e"
  ) throws -> Arrival {
    let message = Message(topic: "jobs/pending", payload: Array(payload.utf8), properties: properties)
    let delivery = Delivery(
      message: message, packetID: packetID, isRedelivery: again, connection: 1, socket: -1, mailbox: try Mailbox())
    return try Arrival(delivery, SessionEpoch(clientID: "worker-01", name: epoch), .unsigned)
  }

  @Test func keyInThePayloadComesBeforeCorrelationData() throws {
    let properties = MessageProperties(correlationData: Array("other".utf8))
    #expect(try arrival(#"{"id":"a","requestId":"order-1"}"#, properties).envelope.requestId.text == "order-1")
    #expect(try arrival(#"{"id":"a"}"#, properties).envelope.requestId.text == "other")
  }

  @Test func correlationDataThatIsNoTextBecomesHexadecimal() throws {
    for bytes: [UInt8] in [[0x00, 0x0A, 0xFF], [0x00], [0x0A]] {
      let key = try arrival(#"{"id":"a"}"#, MessageProperties(correlationData: bytes)).envelope.requestId.text
      #expect(key.hasPrefix("0x"))
    }
    let key = try arrival(#"{"id":"a"}"#, MessageProperties(correlationData: [0x00, 0x0A, 0xFF])).envelope.requestId
    #expect(key.text == "0x000aff")
  }

  @Test func redeliveryIsKnownAsTheSameRequest() throws {
    let first = try arrival(#"{"id":"a"}"#, packetID: 7).envelope.requestId
    let again = try arrival(#"{"id":"a"}"#, packetID: 7, again: true).envelope.requestId
    #expect(again.isSame(as: first.text))
  }

  @Test func laterRequestWithTheSamePacketIdentifierIsAnother() throws {
    let first = try arrival(#"{"id":"a"}"#, packetID: 7).envelope.requestId
    let later = try arrival(#"{"id":"a"}"#, packetID: 7).envelope.requestId
    let other = try arrival(#"{"id":"a"}"#, packetID: 8, again: true).envelope.requestId
    #expect(!later.isSame(as: first.text))
    #expect(!other.isSame(as: first.text))
  }

  /// Packet identifiers start again in a new session, and with some brokers on each connection.
  @Test func redeliveryOfAnotherMessageWithTheSamePacketIdentifierIsAnother() throws {
    let first = try arrival(#"{"id":"a"}"#, packetID: 7).envelope.requestId
    let others = [
      try arrival(#"{"id":"a","env":{"A":"b"}}"#, packetID: 7, again: true),
      try arrival(#"{"id":"a"}"#, MessageProperties(responseTopic: "replies/1"), packetID: 7, again: true),
      try arrival(#"{"id":"a"}"#, packetID: 7, again: true, in: "f"),
    ]
    for other in others { #expect(!other.envelope.requestId.isSame(as: first.text)) }
  }

  @Test func envelopeKeepsWhatAnAnswerNeeds() throws {
    let properties = MessageProperties(responseTopic: "replies/1", correlationData: [1, 2])
    let envelope = try arrival(#"{"id":"a"}"#, properties).envelope
    #expect(envelope.payload == #"{"id":"a"}"#)
    #expect(envelope.topic == "jobs/pending")
    #expect(envelope.responseTopic == "replies/1")
    #expect(envelope.correlationData == [1, 2])
  }

  @Test func whatIsNoRequestIsRefusedWithASentence() {
    #expect(throws: InvalidInput.self) { try arrival(#"{"id":"../a"}"#) }
  }
}
