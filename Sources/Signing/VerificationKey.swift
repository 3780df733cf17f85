import Crypto
private import FoundationEssentials

/// A key that verifies signatures.
package struct VerificationKey: Sendable {
  enum Material: Sendable {
    case secret(SymmetricKey)
    case ed25519(Curve25519.Signing.PublicKey)
  }

  /// The key's `kid`; `nil` if it has none.
  package let name: String?
  let material: Material

  var algorithm: SignatureAlgorithm {
    switch material {
    case .secret: .hs256
    case .ed25519: .edDSA
    }
  }

  /// The key's id in logs: its name, or the thumbprint of a public key (RFC 7638). The thumbprint of a secret would
  /// help to guess it (section 7).
  package var id: String {
    switch material {
    case _ where name != nil: name ?? ""
    case .secret: "secret"
    case .ed25519(let key): thumbprint(of: key)
    }
  }

  /// Whether `signature` over `text` was made with this key.
  func accepts(_ signature: [UInt8], over text: [UInt8]) -> Bool {
    switch material {
    case .secret(let key): HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: text, using: key)
    case .ed25519(let key): key.isValidSignature(signature, for: text)
    }
  }

  private func thumbprint(of key: Curve25519.Signing.PublicKey) -> String {
    let x = Base64URL.encode(Array(key.rawRepresentation))
    return Base64URL.encode(Array(SHA256.hash(data: Array(#"{"crv":"Ed25519","kty":"OKP","x":"\#(x)"}"#.utf8))))
  }
}

/// The supported algorithms (RFC 7518, section 3.2; RFC 8037, section 3.1). A key has one of them, so no header can
/// make a public key a secret, or go without a key.
enum SignatureAlgorithm: String, Sendable {
  case hs256 = "HS256"
  case edDSA = "EdDSA"

  /// The algorithm that `alg` names; RFC 9864 names EdDSA over the supported curve Ed25519.
  init?(name: String) {
    if name == "Ed25519" { self = .edDSA } else { self.init(rawValue: name) }
  }
}
