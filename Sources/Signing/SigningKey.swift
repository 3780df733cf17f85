import Crypto
private import Jobs

/// A key that signs.
package struct SigningKey: Sendable {
  private enum Material: Sendable {
    case secret(SymmetricKey)
    case ed25519(Curve25519.Signing.PrivateKey)
  }

  /// The `kid` of the header, if the key has one.
  package let name: String?
  private let material: Material

  /// Reads the content of a key file: PEM (PKCS #8, Ed25519), a JWK with its private part, or a secret as ``KeySet`` reads
  /// it. `name` is the key's `kid` instead of that of the JWK.
  package init(file bytes: [UInt8], name: String?) throws(InvalidKey) {
    switch try KeyText(bytes) {
    case .secret(let secret):
      self.name = name
      material = .secret(try secretKey(secret))
    case .pem(let blocks):
      guard blocks.count == 1, let block = blocks.first, block.label == "PRIVATE KEY" else {
        throw InvalidKey("must hold one PRIVATE KEY; make one with: openssl genpkey -algorithm ed25519")
      }
      self.name = name
      material = .ed25519(try privateKey(try block.key(behind: PEMBlock.privatePrefix)))
    case .jwks(let jwks, _):
      guard jwks.count == 1, let jwk = jwks.first else {
        throw InvalidKey("holds \(jwks.count) keys; give the one to sign with")
      }
      if let purpose = jwk.purposeElsewhere(than: "sign") { throw InvalidKey("is a key that \(purpose)") }
      self.name = name ?? jwk.kid
      if jwk.kty == "oct" {
        material = .secret(try jwk.secret())
      } else {
        guard let d = jwk.d.flatMap({ Base64URL.decode($0.utf8) }) else {
          throw InvalidKey("holds a public key only: its \"d\" is missing or not base64url")
        }
        material = .ed25519(try privateKey(d))
      }
    }
  }

  /// `payload` as a compact JWS.
  package func sign(_ payload: [UInt8]) throws -> String {
    let algorithm: SignatureAlgorithm =
      switch material {
      case .secret: .hs256
      case .ed25519: .edDSA
      }
    let header = try compactJSON(Header(alg: algorithm.rawValue, kid: name, typ: "JWT"))
    let signed = "\(Base64URL.encode(header)).\(Base64URL.encode(payload))"
    let signature: [UInt8] =
      switch material {
      case .secret(let key): Array(HMAC<SHA256>.authenticationCode(for: Array(signed.utf8), using: key))
      case .ed25519(let key): Array(try key.signature(for: Array(signed.utf8)))
      }
    return "\(signed).\(Base64URL.encode(signature))"
  }

  private struct Header: Encodable {
    let alg: String
    let kid: String?
    let typ: String
  }
}

private func privateKey(_ bytes: [UInt8]) throws(InvalidKey) -> Curve25519.Signing.PrivateKey {
  do {
    return try Curve25519.Signing.PrivateKey(rawRepresentation: bytes)
  } catch {
    throw InvalidKey("holds a private key of \(bytes.count) bytes; one of Ed25519 has 32")
  }
}
