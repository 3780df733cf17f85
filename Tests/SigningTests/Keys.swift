import Crypto
import Foundation
import Testing

@testable import Signing

/// Keys of the tests.
enum Keys {
  static let secret = Array("a secret that has thirty-two bytes or some more".utf8)
  /// The file of that secret.
  static let secretFile = Array("hs256:".utf8) + secret
  static let ed25519 = Curve25519.Signing.PrivateKey()
  static let other = Curve25519.Signing.PrivateKey()

  /// PEM of a public key (RFC 8410).
  static func publicPEM(_ key: Curve25519.Signing.PrivateKey = ed25519) -> [UInt8] {
    pem("PUBLIC KEY", PEMBlock.publicPrefix + key.publicKey.rawRepresentation)
  }

  /// PEM of a private key (RFC 8410).
  static func privatePEM(_ key: Curve25519.Signing.PrivateKey = ed25519) -> [UInt8] {
    pem("PRIVATE KEY", PEMBlock.privatePrefix + key.rawRepresentation)
  }

  static func pem(_ label: String, _ der: [UInt8]) -> [UInt8] {
    let body = Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
    return Array("-----BEGIN \(label)-----\n\(body)\n-----END \(label)-----\n".utf8)
  }

  /// The public key in the forms that people copy: the body of its PEM, bare base64, base64url, hexadecimal, and bytes.
  static let publicForms: [[UInt8]] = {
    let raw = Array(ed25519.publicKey.rawRepresentation)
    let hexadecimal = raw.map { String(format: "%02x", $0) }.joined()
    let der = PEMBlock.publicPrefix + raw
    let texts = [
      Data(der).base64EncodedString(), Data(raw).base64EncodedString(), Base64URL.encode(raw), Base64URL.encode(der),
      hexadecimal, hexadecimal.uppercased(), "ssh-ed25519 \(Data(raw).base64EncodedString())",
    ]
    return texts.map { Array($0.utf8) } + [raw, der]
  }()

  /// A JWK of a public key, with further members.
  static func jwk(_ key: Curve25519.Signing.PrivateKey = ed25519, _ more: String = "") -> String {
    #"{"kty":"OKP","crv":"Ed25519","x":"\#(Base64URL.encode(Array(key.publicKey.rawRepresentation)))"\#(more)}"#
  }

  /// A JWK of a secret.
  static func jwk(secret: [UInt8], _ more: String = "") -> String {
    #"{"kty":"oct","k":"\#(Base64URL.encode(secret))"\#(more)}"#
  }

  /// A JWS with any header, signed as `sign` says.
  static func jws(_ header: String, _ payload: String, _ sign: ([UInt8]) throws -> [UInt8]) rethrows -> [UInt8] {
    let signed = "\(Base64URL.encode(Array(header.utf8))).\(Base64URL.encode(Array(payload.utf8)))"
    return Array("\(signed).\(Base64URL.encode(try sign(Array(signed.utf8))))".utf8)
  }

  static func hmac(_ secret: [UInt8]) -> ([UInt8]) -> [UInt8] {
    { Array(HMAC<SHA256>.authenticationCode(for: $0, using: SymmetricKey(data: secret))) }
  }

  static func edDSA(_ key: Curve25519.Signing.PrivateKey = ed25519) -> ([UInt8]) throws -> [UInt8] {
    { Array(try key.signature(for: $0)) }
  }
}
