private import FoundationEssentials

/// What a key file holds, told by its first bytes.
///
/// - `{`: a JWK, or a JWK set (RFC 7517).
/// - `-----BEGIN `: PEM. One block or several, each an Ed25519 key (RFC 8410).
/// - Anything else: a secret for HS256. Of printable text it is the one line, without the line end; otherwise all bytes.
///   Base64 is not decoded: the same text is the secret for the signer, too.
enum KeyText {
  case jwks([JWK], isSet: Bool)
  case pem([PEMBlock])
  case secret([UInt8])

  init(_ bytes: [UInt8]) throws(InvalidKey) {
    let start = bytes.prefix { $0 == 0x20 || (0x09...0x0D).contains($0) }.count
    let text = bytes[start...]
    if text.first == UInt8(ascii: "{") {
      self = try KeyText.jwks(in: bytes)
    } else if text.starts(with: "-----BEGIN ".utf8) {
      self = .pem(try PEMBlock.all(in: String(decoding: text, as: UTF8.self)))
    } else {
      self = .secret(try KeyText.secret(in: bytes))
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

  private static func secret(in bytes: [UInt8]) throws(InvalidKey) -> [UInt8] {
    // A public key that is no secret, in a form that is not read here: everybody could sign with it.
    if bytes.starts(with: "ssh-".utf8) || bytes.starts(with: "ecdsa-".utf8) {
      throw InvalidKey("is a key of OpenSSH; write the Ed25519 key as PEM (openssl) or as a JWK")
    }
    if bytes.starts(with: PEMBlock.publicPrefix) || bytes.starts(with: PEMBlock.privatePrefix) {
      throw InvalidKey("is a key in DER; write it as PEM: openssl pkey -inform DER, with -pubin for a public key")
    }
    guard bytes.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }) else {
      return bytes
    }
    let lines = bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D })
    guard lines.count <= 1 else { throw InvalidKey("has \(lines.count) lines; a secret stands on one") }
    return Array(lines.first ?? [])
  }
}

/// A JSON Web Key (RFC 7517) with the members of the kinds that are taken: `oct` (RFC 7518, section 6.4) and `OKP` with
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

/// One block of PEM (RFC 7468).
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

/// Why a key is not taken: the predicate of a sentence about its file.
public struct InvalidKey: Error, Sendable, Equatable, CustomStringConvertible {
  /// The words that follow the file's name.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}
