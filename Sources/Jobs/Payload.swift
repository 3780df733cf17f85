private import FoundationEssentials

/// A message that is sent as a JSON object.
package protocol Payload: Codable {
  /// The largest payload that is read, in bytes.
  static var largestPayload: Int { get }
}

extension Payload {
  package static var largestPayload: Int { .max }

  /// The payload: compact JSON, keys sorted.
  package func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }

  /// Reads a payload; `nil` for anything else, also for an empty one, which clears a topic.
  package init?(payload: [UInt8]) {
    guard payload.count <= Self.largestPayload, let message = decodedJSON(Self.self, payload) else { return nil }
    self = message
  }
}

/// JSON on one line with sorted keys, as it is stored and sent: the same value has the same bytes.
package func compactJSON(_ value: some Encodable) throws -> [UInt8] {
  try encode(value, [.sortedKeys, .withoutEscapingSlashes])
}

/// JSON that people also read: indented, keys sorted, with a newline at the end.
package func indentedJSON(_ value: some Encodable) throws -> [UInt8] {
  try encode(value, [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]) + [UInt8(ascii: "\n")]
}

private func encode(_ value: some Encodable, _ form: JSONEncoder.OutputFormatting) throws -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = form
  return Array(try encoder.encode(value))
}

/// The value in a JSON text; `nil` if there is none of this type.
package func decodedJSON<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) -> Value? {
  try? JSONDecoder().decode(type, from: Data(bytes))
}
