private import FoundationEssentials

/// The base64url encoding of RFC 7515, section 2: the alphabet with `-` and `_`, without padding.
enum Base64URL {
  /// The text for `bytes`.
  package static func encode(_ bytes: [UInt8]) -> String {
    let text = Data(bytes).base64EncodedString().utf8.compactMap { byte -> UInt8? in
      switch byte {
      case UInt8(ascii: "+"): UInt8(ascii: "-")
      case UInt8(ascii: "/"): UInt8(ascii: "_")
      case UInt8(ascii: "="): nil
      default: byte
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes that `text` stands for; `nil` for any other text than the one that ``encode(_:)`` gives for them. A decoder
  /// that takes padding, the other alphabet or stray bits at the end takes several texts for one signature.
  package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var base64 = text.map { byte -> UInt8 in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      default: byte
      }
    }
    while base64.count % 4 != 0 { base64.append(UInt8(ascii: "=")) }
    guard let data = Data(base64Encoded: Data(base64)), encode(Array(data)).utf8.elementsEqual(text) else { return nil }
    return Array(data)
  }
}
