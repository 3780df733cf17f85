private import FoundationEssentials

/// The content of a key file; the first bytes tell its form.
///
/// - `{`: a JWK, or a JWK set (RFC 7517).
/// - `-----BEGIN `: PEM. One block or several, each an Ed25519 key (RFC 8410).
/// - `hs256:`: a secret for HS256, the rest of that one line. Base64 is not decoded: the signer uses the same text as
///   its secret.
///
/// Nothing else is a key. A secret must have its prefix: if a public key in base64, hexadecimal or bare bytes were
/// taken as a secret, everybody who knows the public key could sign.
enum KeyText {
  case jwks([JWK], isSet: Bool)
  case pem([PEMBlock])
  case secret([UInt8])

  private static let secretMark = Array("hs256:".utf8)

  init(_ bytes: [UInt8]) throws(InvalidKey) {
    let start = bytes.prefix { $0 == 0x20 || (0x09...0x0D).contains($0) }.count
    let text = bytes[start...]
    // One bare key in 256 begins with this byte.
    if text.first == UInt8(ascii: "{"), String(validating: text, as: UTF8.self) != nil {
      self = try KeyText.jwks(in: bytes)
    } else if text.starts(with: "-----BEGIN ".utf8) {
      self = .pem(try PEMBlock.all(in: String(decoding: text, as: UTF8.self)))
    } else if text.starts(with: KeyText.secretMark) {
      self = .secret(try KeyText.secret(in: text.dropFirst(KeyText.secretMark.count)))
    } else {
      throw KeyText.refusal(of: text)
    }
  }

  private static func jwks(in bytes: [UInt8]) throws(InvalidKey) -> KeyText {
    do {
      let data = Data(bytes)
      if let set = try? JSONDecoder().decode(JWKSet.self, from: data) { return .jwks(set.keys, isSet: true) }
      return .jwks([try JSONDecoder().decode(JWK.self, from: data)], isSet: false)
    } catch {
      throw InvalidKey("begins with \"{\" and is neither a JWK nor a JWK set (RFC 7517)")
    }
  }

  private static func secret(in bytes: ArraySlice<UInt8>) throws(InvalidKey) -> [UInt8] {
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    let lines = bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).filter { !$0.allSatisfy(isBlank) }
    guard lines.count <= 1 else { throw InvalidKey("has \(lines.count) lines; a secret stands on one") }
    var secret = (lines.first ?? []).drop(while: isBlank)
    while let last = secret.last, isBlank(last) { secret.removeLast() }
    guard String(validating: secret, as: UTF8.self) != nil, !secret.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
      throw InvalidKey("has a secret that is no text; write it as a JWK of the kind oct")
    }
    return Array(secret)
  }

  private static func refusal(of text: ArraySlice<UInt8>) -> InvalidKey {
    if text.isEmpty { return InvalidKey("is empty; \(forms)") }
    if text.starts(with: "ssh-".utf8) || text.starts(with: "ecdsa-".utf8) {
      return InvalidKey("is a key of OpenSSH; write the Ed25519 key as PEM (openssl) or as a JWK")
    }
    if text.starts(with: PEMBlock.publicPrefix) || text.starts(with: PEMBlock.privatePrefix) {
      return InvalidKey("is a key in DER; write it as PEM: openssl pkey -inform DER, with -pubin for a public key")
    }
    return InvalidKey(
      "is neither PEM nor a JWK, and does not say that it is a secret. \(forms). If it is a secret that served until now, put "
        + "hs256: before it, in each file that has it")
  }

  private static let forms =
    "A key file is PEM, a JWK or a JWK set, or, for HS256, one line of hs256: and a secret of 32 bytes or more"
}

/// A JSON Web Key (RFC 7517) with the members of the supported kinds: `oct` (RFC 7518, section 6.4) and `OKP` with
/// Ed25519 (RFC 8037, section 2).
struct JWK: Decodable {
  let kty: String
  let kid: String?
  let alg: String?
  let use: String?
  let keyOps: [String]?
  let crv: String?
  let x: String?
  let d: String?
  let k: String?

  private enum CodingKeys: String, CodingKey {
    case kty, kid, alg, use, crv, x, d, k
    case keyOps = "key_ops"
  }
}

private struct JWKSet: Decodable {
  let keys: [JWK]
}

/// A block of PEM (RFC 7468).
struct PEMBlock {
  let label: String
  let der: [UInt8]

  /// SubjectPublicKeyInfo of Ed25519 up to the 32 bytes of the key (RFC 8410, section 4).
  static let publicPrefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
  /// OneAsymmetricKey of Ed25519, version 1, up to the 32 bytes of the key (RFC 8410, section 7).
  static let privatePrefix: [UInt8] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]

  static func all(in text: String) throws(InvalidKey) -> [PEMBlock] {
    var blocks: [PEMBlock] = []
    var label: Substring?
    var body = ""
    for line in text.split(whereSeparator: \.isNewline) {
      if line.hasPrefix("-----BEGIN "), line.hasSuffix("-----") {
        label = line.dropFirst(11).dropLast(5)
        body = ""
      } else if let begun = label, line.hasPrefix("-----END ") {
        guard let der = Data(base64Encoded: body) else { throw InvalidKey("is not PEM: its text is not base64") }
        blocks.append(PEMBlock(label: String(begun), der: Array(der)))
        label = nil
      } else if label != nil {
        body += line.filter { !$0.isWhitespace }
      }
    }
    guard label == nil, !blocks.isEmpty else { throw InvalidKey("is not PEM: a block has no end") }
    return blocks
  }

  /// The 32 bytes behind `prefix`.
  func key(behind prefix: [UInt8]) throws(InvalidKey) -> [UInt8] {
    guard der.starts(with: prefix), der.count == prefix.count + 32 else {
      throw InvalidKey("has a \(label) that is not of Ed25519; make one with: openssl genpkey -algorithm ed25519")
    }
    return Array(der[prefix.count...])
  }
}

/// The reason why a key is refused: the predicate of a sentence about its file.
package struct InvalidKey: Error, Sendable, Equatable, CustomStringConvertible {
  /// The words that follow the file's name.
  package let description: String

  init(_ description: String) {
    self.description = description
  }
}
