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
