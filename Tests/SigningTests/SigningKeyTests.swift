import Crypto
import Foundation
import Testing

@testable import Signing

@Suite struct SigningKeyTests {
  @Test func whatIsSignedIsVerified() throws {
    let secret = Array(Keys.jwk(secret: Keys.secret, #","kid":"s""#).utf8)
    let d = Base64URL.encode(Array(Keys.ed25519.rawRepresentation))
    let pairs: [(private: [UInt8], public: [UInt8], name: String?)] = [
      (Keys.privatePEM(), Keys.publicPEM(), nil), (Keys.privatePEM(), Keys.publicPEM(), "a"),
      (Keys.secretFile, Keys.secretFile, nil), (secret, secret, nil),
      (
        Array(Keys.jwk(Keys.ed25519, #","kid":"e","d":"\#(d)""#).utf8),
        Array(Keys.jwk(Keys.ed25519, #","kid":"e""#).utf8), nil
      ),
    ]
    for pair in pairs {
      let text = try SigningKey(file: pair.private, name: pair.name).sign(Array("payload".utf8))
      let verified = try KeySet(file: pair.public).verify(CompactJWS(Array(text.utf8)))
      #expect(verified.payload == Array("payload".utf8))
    }
  }

  @Test func nameGoesIntoTheHeader() throws {
    let text = try SigningKey(file: Keys.privatePEM(), name: "k1").sign([])
    #expect(try CompactJWS(Array(text.utf8)).header.keyID == "k1")
    #expect(try CompactJWS(Array(text.utf8)).header.algorithm == "EdDSA")
  }

  @Test func publicKeyCannotSign() {
    #expect(throws: InvalidKey.self) { try SigningKey(file: Keys.publicPEM(), name: nil) }
    #expect(throws: InvalidKey.self) { try SigningKey(file: Array(Keys.jwk().utf8), name: nil) }
    #expect(throws: InvalidKey.self) { try SigningKey(file: Array("too short".utf8), name: nil) }
  }
}
