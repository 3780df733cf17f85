import Crypto
import Foundation
import Testing

@testable import Jobs
@testable import Signing

/// 100,000 mutations of a valid request, the same for the same seed, on the path of a payload in the worker.
@Suite struct MutationTests {
  private let claims =
    #"{"id":"job","steps":["make"],"jti":"order-4711","exp":\#(Forgery.now + 3600),"iat":\#(Forgery.now),"aud":["workers"]}"#

  @Test(arguments: 0..<5 as Range<UInt64>)
  func onlyTheIdenticalRequestSignedWithASecretIsTaken(_ seed: UInt64) throws {
    try play(
      Keys.jws(#"{"alg":"HS256","kid":"a"}"#, claims, Keys.hmac(Keys.secret)),
      reader(Array(Keys.jwk(secret: Keys.secret, #","kid":"a""#).utf8)), seed: seed)
  }

  @Test(arguments: 5..<10 as Range<UInt64>)
  func onlyTheIdenticalRequestSignedWithEd25519IsTaken(_ seed: UInt64) throws {
    try play(
      Keys.jws(#"{"alg":"EdDSA","typ":"JWT"}"#, claims, Keys.edDSA()), reader(Keys.publicPEM()), seed: seed)
  }

  private func play(_ original: [UInt8], _ reader: RequestReader, seed: UInt64) throws {
    #expect(try reader.arriving(original).requestID == "order-4711")
    var mutation = Mutation(original, seed: seed)
    var taken: [String] = []
    for _ in 0..<10_000 {
      let bytes = mutation.next()
      if (try? reader.arriving(bytes)) != nil, bytes != original {
        taken.append(String(decoding: bytes, as: UTF8.self))
      }
    }
    #expect(taken == [])
  }
}

/// A request with one to three changes: bits, bytes, letters that some decoder takes to be equal, exchanged parts, and
/// endings that other readers ignore.
private struct Mutation {
  private var random: Random
  private let original: [UInt8]
  private let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.\n ".utf8)

  init(_ original: [UInt8], seed: UInt64) {
    self.original = original
    random = Random(state: seed)
  }

  mutating func next() -> [UInt8] {
    var bytes = original
    repeat {
      for _ in 0..<Int.random(in: 1...3, using: &random) { change(&bytes) }
    } while bytes == original
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let index = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<9, using: &random) {
    case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes[index] = alphabet.randomElement(using: &random) ?? 0
    case 2: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: index)
    case 3: if bytes.count > 1 { bytes.remove(at: index) }
    // The last letter of a part has unused bits.
    case 4: bytes[bytes.count - 1] = alphabet.randomElement(using: &random) ?? 0
    case 5: bytes += [UInt8]("=\n .".utf8).randomElement(using: &random).map { [$0] } ?? []
    case 6:
      for (from, to) in [("-", "+"), ("_", "/")] where bytes.contains(from.utf8.first ?? 0) {
        bytes = bytes.map { $0 == from.utf8.first ? to.utf8.first ?? 0 : $0 }
      }
    case 7:
      var parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      parts.swapAt(Int.random(in: 0..<parts.count, using: &random), Int.random(in: 0..<parts.count, using: &random))
      bytes = Array(parts.joined(separator: [UInt8(ascii: ".")]))
    default:
      let end = min(bytes.count, index + Int.random(in: 1...40, using: &random))
      bytes.insert(contentsOf: bytes[index..<end], at: Int.random(in: 0...bytes.count, using: &random))
    }
    if bytes.isEmpty { bytes = [0] }
  }
}

/// The same numbers for the same seed (xorshift64*).
private struct Random: RandomNumberGenerator {
  var state: UInt64

  init(state: UInt64) {
    self.state = state &* 0x9E37_79B9_7F4A_7C15 | 1
  }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_F491_4F6C_DD1D
  }
}
