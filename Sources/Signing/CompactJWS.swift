private import FoundationEssentials

/// A compact JWS (RFC 7515, section 7.1) as it was sent: `header.payload.signature`, each base64url. Trust nothing in
/// it before a ``KeySet`` has verified it.
package struct CompactJWS: Sendable {
  /// The payload, which anybody may have written.
  let unverifiedPayload: [UInt8]
  let header: Header
  let signature: [UInt8]
  /// The signed text: the first two parts as they were sent.
  let signed: [UInt8]

  /// The members of the JOSE header that are used (RFC 7515, section 4.1). Others are ignored.
  struct Header: Decodable {
    let algorithm: String
    let keyID: String?

    private enum Key: String, CodingKey {
      case alg, kid, crit
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      // A verifier must refuse critical extensions that it does not know (section 4.1.11).
      guard !container.contains(.crit) else {
        throw InvalidSignature("its header has \"crit\", and no critical extension is understood")
      }
      guard let algorithm = try? container.decode(String.self, forKey: .alg) else {
        throw InvalidSignature("its header has no \"alg\"")
      }
      guard !container.contains(.kid) || (try? container.decode(String.self, forKey: .kid)) != nil else {
        throw InvalidSignature("\"kid\" in its header is not a string")
      }
      self.algorithm = algorithm
      keyID = try? container.decode(String.self, forKey: .kid)
    }
  }

  /// Splits a JWS into its parts. Throws unless all of `text` is a JWS: a line end after it is an error.
  package init(_ text: [UInt8]) throws(InvalidSignature) {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3 else {
      throw InvalidSignature("it has \(parts.count) part\(parts.count == 1 ? "" : "s") between its dots, and not 3")
    }
    if text.last.map({ $0 == 0x0A || $0 == 0x0D || $0 == 0x20 }) == true {
      throw InvalidSignature("a line end or a blank follows it; send it without (printf '%s' instead of echo)")
    }
    let names = ["header", "payload", "signature"]
    var decoded: [[UInt8]] = []
    for (name, part) in zip(names, parts) {
      guard let bytes = Base64URL.decode(part) else { throw InvalidSignature("its \(name) is not base64url") }
      decoded.append(bytes)
    }
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(decoded[0]))
    } catch let refusal as InvalidSignature {
      throw refusal
    } catch {
      throw InvalidSignature("its header is not a JSON object")
    }
    unverifiedPayload = decoded[1]
    signature = decoded[2]
    signed = Array(text[..<parts[1].endIndex])
  }
}

/// The reason why a signature is not accepted: the predicate of a sentence about it.
package struct InvalidSignature: Error, Sendable, Equatable, CustomStringConvertible {
  /// The words that follow "the request is not signed as it must be:".
  package let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// The base64url encoding of RFC 7515, section 2: the alphabet with `-` and `_`, without padding.
enum Base64URL {
  /// The text for `bytes`.
  static func encode(_ bytes: [UInt8]) -> String {
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

  /// The bytes of `text`; `nil` unless ``encode(_:)`` makes this very text. A decoder that accepts padding, the other
  /// alphabet or stray bits at the end accepts several texts for one signature.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard let bytes = decodeLoosely(text), encode(bytes).utf8.elementsEqual(text) else { return nil }
    return bytes
  }

  /// The bytes of `text`, also with padding, of either alphabet, or with stray bits: only for unverified payloads.
  static func decodeLoosely(_ text: some Collection<UInt8>) -> [UInt8]? {
    var base64 = text.map { byte -> UInt8 in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      default: byte
      }
    }
    while base64.count % 4 != 0 { base64.append(UInt8(ascii: "=")) }
    return Data(base64Encoded: Data(base64)).map { Array($0) }
  }
}
