import Crypto
import Foundation
import Testing

@testable import Jobs
@testable import Signing

/// A reader that accepts what these keys signed, like the worker's.
func reader(_ keys: [UInt8], for audience: [String] = ["worker-01", "workers"]) throws -> RequestReader {
  let keys = try KeySet(file: keys)
  return RequestReader(audience: audience) { payload in
    let verified = try keys.verify(CompactJWS(payload))
    return RequestReader.Verified(payload: verified.payload, keyID: verified.keyID)
  }
}

/// A payload that looks like a valid signed request and is not, or not any more; and a word of the error.
struct Forgery: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let payload: [UInt8]
  let word: String

  init(_ name: String, _ word: String, _ payload: [UInt8]) {
    testDescription = name
    self.word = word
    self.payload = payload
  }

  /// A request that the right key signed.
  init(_ name: String, _ word: String, claims: String) throws {
    self.init(name, word, try Keys.jws(#"{"alg":"EdDSA"}"#, claims, Keys.edDSA()))
  }

  static let now = Int(Date().timeIntervalSince1970)
  static let good = #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now + 600),"iat":\#(now)}"#

  static func all() throws -> [Forgery] {
    let header = #"{"alg":"EdDSA"}"#
    let publicKey = Keys.publicPEM()
    let jws = String(decoding: try Keys.jws(header, good, Keys.edDSA()), as: UTF8.self)
    let parts = jws.split(separator: ".").map(String.init)
    let altered = Base64URL.encode(Array(good.replacing("true", with: "evil").utf8))
    let x = Array(Keys.ed25519.publicKey.rawRepresentation)
    let now = now
    return [
      Forgery("unsigned", "not signed", Array(good.utf8)),
      Forgery("nothing like it", "not signed", Array("run job".utf8)),
      Forgery("alg none, no signature", "none", Array(Keys.jws(#"{"alg":"none"}"#, good) { _ in [] })),
      Forgery("alg nOnE", "nOnE", Array(Keys.jws(#"{"alg":"nOnE"}"#, good) { _ in [] })),
      Forgery("alg none with the signature", "none", try Keys.jws(#"{"alg":"none"}"#, good, Keys.edDSA())),
      Forgery("no alg", "alg", try Keys.jws("{}", good, Keys.edDSA())),
      Forgery("HS512", "HS512", try Keys.jws(#"{"alg":"HS512"}"#, good, Keys.edDSA())),
      Forgery("HS256 with the PEM as secret", "HS256", Keys.jws(#"{"alg":"HS256"}"#, good, Keys.hmac(publicKey))),
      Forgery("HS256 with the public key as secret", "HS256", Keys.jws(#"{"alg":"HS256"}"#, good, Keys.hmac(x))),
      Forgery(
        "HS256 in the header of the right signature", "HS256", try Keys.jws(#"{"alg":"HS256"}"#, good, Keys.edDSA())),
      Forgery("another key", "another key", try Keys.jws(header, good, Keys.edDSA(Keys.other))),
      Forgery(
        "a key of its own in the header", "another key",
        try Keys.jws(#"{"alg":"EdDSA","jwk":\#(Keys.jwk(Keys.other))}"#, good, Keys.edDSA(Keys.other))),
      Forgery("crit", "crit", try Keys.jws(#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#, good, Keys.edDSA())),
      Forgery("crit empty", "crit", try Keys.jws(#"{"alg":"EdDSA","crit":[]}"#, good, Keys.edDSA())),
      Forgery("crit null", "crit", try Keys.jws(#"{"alg":"EdDSA","crit":null}"#, good, Keys.edDSA())),
      Forgery("kid a number", "kid", try Keys.jws(#"{"alg":"EdDSA","kid":7}"#, good, Keys.edDSA())),
      Forgery("header an array", "header", try Keys.jws("[]", good, Keys.edDSA())),
      Forgery("header not JSON", "header", try Keys.jws("alg", good, Keys.edDSA())),
      Forgery("another payload", "altered", Array("\(parts[0]).\(altered).\(parts[2])".utf8)),
      Forgery("no signature", "altered", Array("\(parts[0]).\(parts[1]).".utf8)),
      Forgery("two parts", "2 parts", Array("\(parts[0]).\(parts[1])".utf8)),
      Forgery("four parts", "4 parts", Array("\(jws).\(parts[2])".utf8)),
      Forgery("line end after it", "line end", Array("\(jws)\n".utf8)),
      Forgery("padding", "base64url", Array("\(jws)==".utf8)),
      Forgery(
        "JSON serialization", "not signed",
        Array(#"{"protected":"\#(parts[0])","payload":"\#(parts[1])","signature":"\#(parts[2])"}"#.utf8)),
      try Forgery("expired", "expired", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now - 60)}"#),
      try Forgery(
        "early", "nbf", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now + 600),"nbf":\#(now + 300)}"#),
      try Forgery(
        "signed in the future", "iat",
        claims: #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now + 600),"iat":\#(now + 300)}"#),
      try Forgery("no exp", "exp", claims: #"{"id":"job","steps":["true"],"jti":"1"}"#),
      try Forgery("exp a string", "exp", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":"\#(now + 600)"}"#),
      try Forgery("exp too large", "exp", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":1e300}"#),
      try Forgery("exp less than nothing", "exp", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":-1}"#),
      try Forgery(
        "exp twice", "twice", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":1,"exp":\#(now + 600)}"#),
      try Forgery("no jti", "jti", claims: #"{"id":"job","steps":["true"],"exp":\#(now + 600)}"#),
      try Forgery("jti empty", "jti", claims: #"{"id":"job","steps":["true"],"jti":"","exp":\#(now + 600)}"#),
      try Forgery(
        "jti not the requestId", "requestId",
        claims: #"{"id":"job","steps":["true"],"jti":"1","requestId":"2","exp":\#(now + 600)}"#),
      try Forgery(
        "for another group", "aud", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now + 600),"aud":"gpu"}"#),
      try Forgery(
        "for others", "aud",
        claims: #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now + 600),"aud":["gpu","worker"]}"#),
      try Forgery(
        "for nobody", "aud", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now + 600),"aud":[]}"#),
      try Forgery(
        "aud a number", "aud", claims: #"{"id":"job","steps":["true"],"jti":"1","exp":\#(now + 600),"aud":1}"#),
      try Forgery("nothing of what it runs", "source", claims: #"{"id":"job","jti":"1","exp":\#(now + 600)}"#),
      try Forgery(
        "source no digest", "source", claims: #"{"id":"job","jti":"1","exp":\#(now + 600),"source":"h1:abc"}"#),
      try Forgery(
        "id against the rule", "id", claims: #"{"id":"../job","steps":["true"],"jti":"1","exp":\#(now + 600)}"#),
      try Forgery("not JSON", "JSON", claims: "job"),
    ]
  }
}

/// The rules of signed requests, tested on the path of a payload in the worker.
@Suite struct ForgeryTests {
  @Test func goodOneIsTaken() throws {
    let jws = try Keys.jws(#"{"alg":"EdDSA"}"#, Forgery.good, Keys.edDSA())
    let request = try reader(Keys.publicPEM()).arriving(jws)
    #expect(request.id.text == "job")
    #expect(request.requestID == "1")
    #expect(request.signature?.subject == nil)
    #expect(request.unknownKeys.isEmpty)
  }

  @Test(arguments: try Forgery.all())
  func forgeryIsRefused(_ forgery: Forgery) throws {
    let reader = try reader(Keys.publicPEM())
    let refusal = try #require(throws: InvalidInput.self) { try reader.arriving(forgery.payload) }
    #expect(refusal.description.contains(forgery.word), "\(refusal)")
    #expect(refusal.description.utf8.count < 2000 && !refusal.description.contains("\n"))
  }

  @Test func clocksMayDifferByTheLeeway() throws {
    let reader = try reader(Keys.publicPEM())
    let jws = try Keys.jws(
      #"{"alg":"EdDSA"}"#, #"{"id":"job","steps":["true"],"jti":"1","exp":1000,"nbf":500}"#, Keys.edDSA())
    let leeway = Int64(RequestSignature.leeway / .milliseconds(1))
    for (moment, isGood) in [
      (500_000 - leeway - 1, false), (500_000 - leeway, true), (1_000_000 + leeway - 1, true),
      (1_000_000 + leeway, false),
    ] {
      let request = try? reader.arriving(jws, at: Timestamp(millisecondsSince1970: moment))
      #expect((request != nil) == isGood, "\(moment)")
    }
  }

  @Test(arguments: [#""workers""#, #""worker-01""#, #"["x","workers"]"#])
  func audienceNamesTheWorkerOrItsGroup(_ audience: String) throws {
    let claims = #"{"id":"job","steps":["true"],"jti":"1","exp":\#(Forgery.now + 600),"aud":\#(audience)}"#
    let jws = try Keys.jws(#"{"alg":"EdDSA"}"#, claims, Keys.edDSA())
    #expect(try reader(Keys.publicPEM()).arriving(jws).id.text == "job")
  }

  @Test func signedRequestIsNotTakenWithoutAKey() throws {
    let jws = try Keys.jws(#"{"alg":"EdDSA"}"#, Forgery.good, Keys.edDSA())
    let refusal = try #require(throws: InvalidInput.self) { try RequestReader.unsigned.arriving(jws) }
    #expect(refusal.description.contains("--verify-key"))
    #expect(refusal.id?.text == "job")
  }

  @Test func refusalGoesToTheJobThatWasMeant() throws {
    let reader = try reader(Keys.publicPEM())
    let unsigned = try #require(throws: InvalidInput.self) { try reader.arriving(Array(Forgery.good.utf8)) }
    #expect(unsigned.id?.text == "job")
    let forged = try Keys.jws(#"{"alg":"EdDSA"}"#, Forgery.good, Keys.edDSA(Keys.other))
    let refusal = try #require(throws: InvalidInput.self) { try reader.arriving(forged) }
    #expect(refusal.id?.text == "job")
  }
}
