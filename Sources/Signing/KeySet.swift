import Crypto
private import FoundationEssentials
private import Jobs

/// The keys whose signatures are accepted.
package struct KeySet: Sendable {
  package let keys: [VerificationKey]
  /// A sentence for each key of the set that is ignored because it has another purpose (RFC 7517, section 5).
  package let leftAside: [String]

  /// Reads the content of a key file; see ``KeyText`` for its forms. Throws for a private key, for a secret of less
  /// than 32 bytes (RFC 7518, section 3.2), and if no key remains.
  package init(file bytes: [UInt8]) throws(InvalidKey) {
    var keys: [VerificationKey] = []
    var leftAside: [String] = []
    switch try KeyText(bytes) {
    case .secret(let secret):
      keys = [VerificationKey(name: nil, material: .secret(try secretKey(secret)))]
    case .pem(let blocks):
      for block in blocks { keys.append(try VerificationKey(block)) }
    case .jwks(let jwks, let isSet):
      for jwk in jwks {
        if let purpose = jwk.purposeElsewhere(than: "verify") {
          guard isSet else { throw InvalidKey("is a key that \(purpose)") }
          leftAside.append("the key \(jwk.kid.map { "\"\($0)\"" } ?? "without kid") is left aside: it \(purpose)")
        } else {
          keys.append(try VerificationKey(jwk))
        }
      }
    }
    guard !keys.isEmpty else {
      throw InvalidKey("holds no key that verifies signatures (Ed25519, or a secret for HS256)")
    }
    let names = keys.compactMap(\.name)
    guard Set(names).count == names.count else { throw InvalidKey("holds two keys of one kid; give each its own") }
    self.keys = keys
    self.leftAside = leftAside
  }

  /// The secrets among the keys as text, to be masked. Secrets that are not UTF-8 appear only as base64url.
  package var secrets: [String] {
    keys.flatMap { key -> [String] in
      guard case .secret(let secret) = key.material else { return [] }
      let bytes = secret.withUnsafeBytes { Array($0) }
      return [String(validating: bytes, as: UTF8.self), Base64URL.encode(bytes)].compactMap(\.self)
    }
  }

  /// The payload of `jws`, if one of the keys signed it.
  ///
  /// A header with `kid` selects the key of that name and the keys without a name; a header without `kid` selects all.
  /// Of these only keys of the header's algorithm count: a key has one algorithm, and the sender cannot choose another.
  package func verify(_ jws: CompactJWS) throws(InvalidSignature) -> RequestReader.Verified {
    guard let algorithm = SignatureAlgorithm(name: jws.header.algorithm) else {
      throw InvalidSignature("its \"alg\" is \(quoted(jws.header.algorithm)); HS256 and EdDSA are taken")
    }
    let named = keys.filter { key in
      key.name == nil || jws.header.keyID.map { $0 == key.name } ?? true
    }
    guard !named.isEmpty else {
      throw InvalidSignature("its key \(quoted(jws.header.keyID ?? "")) is not one of this worker's")
    }
    let fitting = named.filter { $0.algorithm == algorithm }
    guard !fitting.isEmpty else {
      throw InvalidSignature("its \"alg\" is \(algorithm.rawValue), which is not what its key is for")
    }
    guard let key = fitting.first(where: { $0.accepts(jws.signature, over: jws.signed) }) else {
      throw InvalidSignature("its signature is not right: it was altered, or signed with another key")
    }
    return RequestReader.Verified(payload: jws.unverifiedPayload, keyID: key.id)
  }
}

/// Foreign text for a sentence: clipped, and only printable ASCII.
private func quoted(_ text: String) -> String {
  "\"" + String(String.UnicodeScalarView(text.unicodeScalars.prefix(64).filter { (0x20..<0x7F).contains($0.value) }))
    + "\""
}

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

extension VerificationKey {
  init(_ block: PEMBlock) throws(InvalidKey) {
    guard block.label == "PUBLIC KEY" else {
      let isPrivate = block.label.contains("PRIVATE")
      throw InvalidKey(
        isPrivate
          ? "holds a private key; give a worker only the public one: openssl pkey -pubout"
          : "holds a \(block.label); a PUBLIC KEY of Ed25519 is expected")
    }
    self.init(name: nil, material: .ed25519(try publicKey(try block.key(behind: PEMBlock.publicPrefix))))
  }

  init(_ jwk: JWK) throws(InvalidKey) {
    guard jwk.d == nil else {
      throw InvalidKey("holds a private key (\"d\"); give a worker only the public one")
    }
    if jwk.kty == "oct" {
      self.init(name: jwk.kid, material: .secret(try jwk.secret()))
    } else {
      guard let x = jwk.x.flatMap({ Base64URL.decode($0.utf8) }) else {
        throw InvalidKey("holds a JWK whose \"x\" is missing or not base64url")
      }
      self.init(name: jwk.kid, material: .ed25519(try publicKey(x)))
    }
  }
}

extension JWK {
  /// The key's purpose, unless it is to `verify` (or `sign`) with a supported algorithm.
  func purposeElsewhere(than operation: String) -> String? {
    if !(kty == "oct" || (kty == "OKP" && crv == "Ed25519")) {
      return "is of the kind \(kty)\(crv.map { " \($0)" } ?? ""); OKP Ed25519 and oct are taken"
    }
    if let alg, SignatureAlgorithm(name: alg) != (kty == "oct" ? .hs256 : .edDSA) {
      return "is for the algorithm \(alg)"
    }
    if let use, use != "sig" { return "is for the use \"\(use)\"" }
    if let keyOps, !keyOps.contains(operation) { return "is not for \(operation)ing" }
    return nil
  }

  func secret() throws(InvalidKey) -> SymmetricKey {
    guard let bytes = k.flatMap({ Base64URL.decode($0.utf8) }) else {
      throw InvalidKey("holds a JWK whose \"k\" is missing or not base64url")
    }
    return try secretKey(bytes)
  }
}

/// A secret has at least the length of the hash (RFC 7518, section 3.2), and must not be a public key.
func secretKey(_ secret: [UInt8]) throws(InvalidKey) -> SymmetricKey {
  let prefix = PEMBlock.publicPrefix
  let publicForms = [prefix, Array(Data(prefix).base64EncodedString().utf8), Array(String(hexadecimal: prefix).utf8)]
  guard !publicForms.contains(where: { secret.starts(with: $0) || lowercased(secret).starts(with: $0) }) else {
    throw InvalidKey("holds a public key as a secret: everybody who has it could sign; write it as PEM")
  }
  guard secret.count >= 32 else {
    throw InvalidKey(
      "holds a secret of \(secret.count) bytes; HS256 takes 32 at least: openssl rand -base64 48")
  }
  return SymmetricKey(data: secret)
}

private func lowercased(_ text: [UInt8]) -> [UInt8] {
  text.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
}

private func publicKey(_ bytes: [UInt8]) throws(InvalidKey) -> Curve25519.Signing.PublicKey {
  do {
    return try Curve25519.Signing.PublicKey(rawRepresentation: bytes)
  } catch {
    throw InvalidKey("holds a public key of \(bytes.count) bytes; one of Ed25519 has 32")
  }
}
