import Crypto
import Foundation
import Testing

@testable import Signing

@Suite struct KeySetTests {
  private func keys(_ text: String) throws -> KeySet { try KeySet(file: Array(text.utf8)) }

  private func verified(_ keys: KeySet, _ jws: [UInt8]) throws -> RequestReader.Verified {
    try keys.verify(CompactJWS(jws))
  }

  @Test func publicKeyInPEMVerifies() throws {
    let keys = try KeySet(file: Keys.publicPEM())
    let jws = try Keys.jws(#"{"alg":"EdDSA"}"#, "text", Keys.edDSA())
    #expect(try verified(keys, jws).payload == Array("text".utf8))
    // The thumbprint that other programs compute (RFC 7638; RFC 8037, appendix A.3, for its own key).
    let example = try KeySet(
      file: Array(#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.utf8))
    #expect(example.keys[0].id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
  }

  /// RFC 8037, appendix A.4.
  @Test func signatureOfTheStandardsExampleIsRight() throws {
    let keys = try keys(#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)
    let jws =
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    #expect(try verified(keys, Array(jws.utf8)).payload == Array("Example of Ed25519 signing".utf8))
  }

  /// RFC 7515, appendix A.1.
  @Test func authenticationCodeOfTheStandardsExampleIsRight() throws {
    let keys = try keys(
      #"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#)
    let jws =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    #expect(try verified(keys, Array(jws.utf8)).payload.count == 70)
  }

  @Test func secretIsTheLineBehindItsMarkOrOfAJWK() throws {
    let jws = Keys.jws(#"{"alg":"HS256"}"#, "text", Keys.hmac(Keys.secret))
    for end in ["", "\n", "\r\n", " \n\n"] {
      #expect(try verified(KeySet(file: Keys.secretFile + Array(end.utf8)), jws).keyID == "secret")
    }
    #expect(try verified(keys("hs256: \(String(decoding: Keys.secret, as: UTF8.self))"), jws).keyID == "secret")
    let bytes: [UInt8] = Array(0..<40) + [0xFF, 0x0A]
    let binary = Keys.jws(#"{"alg":"HS256"}"#, "text", Keys.hmac(bytes))
    #expect(try verified(keys(Keys.jwk(secret: bytes)), binary).payload == Array("text".utf8))
  }

  /// A public key in an unsupported form. If it were taken for a secret, anybody who knows it could sign.
  @Test(arguments: Keys.publicForms)
  func publicKeyInAnotherFormIsNoSecret(_ form: [UInt8]) throws {
    for file in [form, form + [0x0A], [0x20] + form, [0xEF, 0xBB, 0xBF] + form] {
      #expect(throws: InvalidKey.self) { try KeySet(file: file) }
      #expect(throws: InvalidKey.self) { try SigningKey(file: file, name: nil) }
    }
    // Bare bytes may begin like JSON.
    for file in [Keys.secret, [UInt8(ascii: "{"), 0xE4] + Array(0..<30)] {
      let refusal = try #require(throws: InvalidKey.self) { try KeySet(file: file) }
      #expect(refusal.description.contains("hs256:") && refusal.description.contains("JWK"))
    }
  }

  @Test func publicKeyThatIsMarkedAsASecretIsRefused() {
    let body = Data(PEMBlock.publicPrefix + Keys.ed25519.publicKey.rawRepresentation)
    for text in [body.base64EncodedString(), body.map { String(format: "%02X", $0) }.joined()] {
      #expect(throws: InvalidKey.self) { try keys("hs256:\(text)") }
    }
    #expect(throws: InvalidKey.self) { try keys(Keys.jwk(secret: Array(body))) }
  }

  @Test func secretIsKnownInTheTextsByWhichItMayBeShown() throws {
    let encoded = Base64URL.encode(Keys.secret)
    #expect(try KeySet(file: Keys.secretFile).secrets == [String(decoding: Keys.secret, as: UTF8.self), encoded])
    #expect(try keys(Keys.jwk(secret: Keys.secret)).secrets.contains(encoded))
    #expect(try KeySet(file: Keys.publicPEM()).secrets.isEmpty)
  }

  @Test func severalKeysStandBesideEachOtherWhileOneReplacesAnother() throws {
    let keys = try keys(
      #"{"keys":[\#(Keys.jwk(Keys.ed25519, #","kid":"old""#)),\#(Keys.jwk(Keys.other, #","kid":"new","use":"sig""#))]}"#
    )
    for (name, key) in [("old", Keys.ed25519), ("new", Keys.other)] {
      let named = try Keys.jws(#"{"alg":"EdDSA","kid":"\#(name)"}"#, "x", Keys.edDSA(key))
      #expect(try verified(keys, named).keyID == name)
      let unnamed = try Keys.jws(#"{"alg":"EdDSA"}"#, "x", Keys.edDSA(key))
      #expect(try verified(keys, unnamed).keyID == name)
    }
    let wrongName = try Keys.jws(#"{"alg":"EdDSA","kid":"old"}"#, "x", Keys.edDSA(Keys.other))
    #expect(throws: InvalidSignature.self) { try verified(keys, wrongName) }
    let several = try KeySet(file: Keys.publicPEM(Keys.ed25519) + Keys.publicPEM(Keys.other))
    #expect(try verified(several, wrongName).payload == Array("x".utf8))
  }

  @Test func keysOfASetThatAreForSomethingElseAreLeftAside() throws {
    let keys = try keys(
      #"""
      {"keys":[{"kty":"RSA","kid":"r","n":"AQ","e":"AQAB"},\#(Keys.jwk(Keys.ed25519, #","kid":"e","use":"enc""#)),
      \#(Keys.jwk(secret: Keys.secret, #","kid":"s","alg":"HS512""#)),\#(Keys.jwk(Keys.other, #","kid":"o""#))]}
      """#)
    #expect(keys.keys.map(\.name) == ["o"])
    #expect(keys.leftAside.count == 3)
  }

  /// Files without a key or without a usable key, and a word of the error.
  @Test(arguments: [
    ("", "empty"), ("hs256:", "0 bytes"), ("hs256:too short", "32"),
    ("no mark, and long enough to be a secret", "hs256:"),
    ("hs256:one line\nand another that makes it long enough", "2 lines"),
    ("hs256:a secret that has thirty-two bytes\u{1}", "no text"),
    ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJCYkYGvkRzBc8qHPKGZkGVTvdXQYyp0Ql7qWkHJYkWQ me", "OpenSSH"),
    ("{", "JWK"), (#"{"keys":[]}"#, "no key"), (#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, "EC"),
    (Keys.jwk(secret: Array("short".utf8)), "5 bytes"), (#"{"kty":"oct"}"#, "\"k\""),
    (#"{"kty":"oct","k":"not base64url!"}"#, "\"k\""), (#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#, "3 bytes"),
    (#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#, "X25519"),
    (Keys.jwk(Keys.ed25519, #","d":"AAAA""#), "private"), (Keys.jwk(Keys.ed25519, #","alg":"HS256""#), "HS256"),
    (Keys.jwk(Keys.ed25519, #","key_ops":["sign"]"#), "verify"),
    (#"{"keys":[\#(Keys.jwk(Keys.ed25519, #","kid":"a""#)),\#(Keys.jwk(Keys.other, #","kid":"a""#))]}"#, "kid"),
    (String(decoding: Keys.privatePEM(), as: UTF8.self), "private"),
    (String(decoding: Keys.pem("PUBLIC KEY", [0x30, 0x03]), as: UTF8.self), "Ed25519"),
    (String(decoding: Keys.pem("CERTIFICATE", [0x30, 0x03]), as: UTF8.self), "CERTIFICATE"),
    ("-----BEGIN PUBLIC KEY-----\nMCow", "end"), ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "base64"),
  ])
  func whatIsNoKeyIsRefusedWithASentence(_ text: String, _ word: String) throws {
    let refusal = try #require(throws: InvalidKey.self) { try keys(text) }
    #expect(refusal.description.contains(word), "\(refusal)")
  }

  @Test func publicKeyInDERIsNotTakenForASecret() {
    #expect(throws: InvalidKey.self) {
      try KeySet(file: PEMBlock.publicPrefix + Array(Keys.ed25519.publicKey.rawRepresentation))
    }
  }
}
