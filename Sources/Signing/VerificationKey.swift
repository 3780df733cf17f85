import Crypto
private import FoundationEssentials

/// A key that tells whether a signature is right.
package struct VerificationKey: Sendable {
  enum Material: Sendable {
    case secret(SymmetricKey)
    case ed25519(Curve25519.Signing.PublicKey)
  }

  /// The name by which a header asks for it; `nil` if it has none.
  package let name: String?
  let material: Material

  var algorithm: SignatureAlgorithm {
    switch material {
    case .secret: .hs256
    case .ed25519: .edDSA
    }
  }

  /// What a log calls it: its name, else the thumbprint of a public key (RFC 7638). That of a secret would help to guess
  /// it (section 7).
  package var id: String {
    switch material {
    case _ where name != nil: name ?? ""
    case .secret: "secret"
    case .ed25519(let key): thumbprint(of: key)
    }
  }

  /// Whether `signature` over `text` was made by whoever has the key.
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

/// The algorithms that are taken (RFC 7518, section 3.2; RFC 8037, section 3.1). A key is for one of them, so that no
/// header can have a public key used as a secret, or no key at all.
enum SignatureAlgorithm: String, Sendable {
  case hs256 = "HS256"
  case edDSA = "EdDSA"

  /// The algorithm that `alg` names; RFC 9864 calls EdDSA over the one curve that is taken Ed25519.
  init?(name: String) {
    if name == "Ed25519" { self = .edDSA } else { self.init(rawValue: name) }
  }
}
