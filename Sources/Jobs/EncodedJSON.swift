private import FoundationEssentials

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
