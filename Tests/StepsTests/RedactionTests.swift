import Foundation
import TestSupport
import Testing

@testable import Steps

struct RedactionTests {
  @Test(arguments: [
    (["s3cret"], "the s3cret, s3crets and s3cre", "the ***, ***s and s3cre"),
    (["s3cret"], "s3crets3cret", "***"),
    (["abcd", "cdef"], "xabcdefx", "x***x"),
    (["abcd", "abcdefgh"], "abcdefg abcdefgh", "***efg ***"),
    (["aaaa"], "aaa aaaaaaa", "aaa ***"),
    (["pässwörd"], "PW=pässwörd!", "PW=***!"),
    (["first line\n  second line\r\n}"], "> second line<\n> first line<", "> ***<\n> ***<"),
    (["abc"], "abc", "abc"), ([""], "", ""), (["", " \n "], "  ", "  "),
    (["  padded  "], "[padded]", "[***]"),
    (["*** ***"], "*** ***", "***"),
  ])
  func secretsAreMasked(_ secrets: [String], _ text: String, _ masked: String) {
    #expect(Redaction(secrets).masking(text) == masked)
  }

  /// Each is printed by the program that is in the name of the case.
  @Test(arguments: [
    // json.dumps, JSON.stringify, PHP's json_encode
    ("pa\"ss\\w/ö\u{1F511}d", #"{"k": "pa\"ss\\w/\u00f6\ud83d\udd11d"}"#, #"{"k": "***"}"#),
    ("pa\"ss\\w/ö\u{1F511}d", #"{"k": "pa\"ss\\w/ö🔑d"}"#, #"{"k": "***"}"#),
    ("pa\"ss\\w/örd", #"{"k": "pa\"ss\\w\/\u00f6rd"}"#, #"{"k": "***"}"#),
    // curl's --data-urlencode, encodeURIComponent, forms, a path
    ("p@ss w'rd/1", "?k=p%40ss%20w%27rd%2F1&", "?k=***&"),
    ("p@ss w'rd/1", "?k=p%40ss%20w'rd%2F1&", "?k=***&"),
    ("p@ss w'rd/1", "k=p%40ss+w%27rd%2f1&", "k=***&"),
    ("p@ss-w/1", "/p%40ss-w/1/", "/***/"),
    // xmllint
    ("a<b>&'c\"d", "<k>a&lt;b&gt;&amp;'c&quot;d</k>", "<k>***</k>"),
    // base64, basic authentication, and two letters before
    ("hunter-two", "aHVudGVyLXR3bw==", "***=="),
    ("hunter-two", "Basic dXNlcjpodW50ZXItdHdv\n", "Basic dXNlcjp***\n"),
    ("hunter-two", "eHhodW50ZXItdHdvCg==", "eHh***Cg=="),
    ("\u{3FF}\u{3FF}??>>~~", "z7_Pvz8_Pj5-fg", "***"),
  ])
  func encodedSecretsAreMasked(_ secret: String, _ text: String, _ masked: String) {
    #expect(Redaction([secret]).masking(text) == masked)
  }

  /// base64(1) breaks its lines at 76 letters, and PEM at 64.
  @Test(arguments: [76, 64, 10_000]) func brokenBase64IsMasked(_ width: Int) {
    let secret = (0..<40).map { "line \($0) of it" }.joined(separator: "\n")
    let encoded = Data(secret.utf8).base64EncodedString()
    let lines = stride(from: 0, to: encoded.count, by: width).map { encoded.dropFirst($0).prefix(width) }
    let masked = Redaction([secret]).masking(lines.joined(separator: "\n"))
    #expect(masked.allSatisfy { "*\n=".contains($0) }, "\(masked)")
  }

  @Test func nothingToMaskCostsNothing() {
    #expect(Redaction.none.trie == nil)
    #expect(Redaction(["abc", ""]).trie == nil)
  }

  /// Random texts over few letters, so that secrets overlap, nest and repeat, in random pieces.
  @Test(arguments: 0..<8)
  func streamIsMaskedHoweverItIsCut(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<500 {
      let letters = Int.random(in: 1...4, using: &random)
      let word = { (count: ClosedRange<Int>, random: inout SeededRandom) in
        (0..<Int.random(in: count, using: &random)).map { _ in
          UInt8(ascii: "a") + UInt8.random(in: 0..<UInt8(letters), using: &random)
        }
      }
      let secrets = (0..<Int.random(in: 1...5, using: &random)).map { _ in word(4...9, &random) }
      let text = (0..<Int.random(in: 0...30, using: &random)).flatMap { _ -> [UInt8] in
        switch Int.random(in: 0..<3, using: &random) {
        case 0: return secrets.randomElement(using: &random) ?? []
        case 1: return word(0...6, &random)
        default: return Array("-\n".utf8)
        }
      }
      let redaction = Redaction(secrets.map { String(decoding: $0, as: UTF8.self) })
      guard let trie = redaction.trie else {
        Issue.record("no secrets")
        return
      }
      var redactor = StreamRedactor(trie)
      var masked: [UInt8] = []
      var rest = text[...]
      while !rest.isEmpty {
        let piece = Array(rest.prefix(Int.random(in: 0...12, using: &random)))
        rest = rest.dropFirst(piece.count)
        piece.withUnsafeBytes { redactor.pass($0) { masked += $0 } }
        // Bytes that cannot begin a secret are not held back.
        let sofar = Array(text[..<rest.startIndex])
        let beginning = (0...9).reversed().first { count in
          count <= sofar.count && secrets.contains { $0.count > count && $0.starts(with: sofar.suffix(count)) }
        }
        #expect(masked == plainMasking(sofar, secrets, upTo: sofar.count - (beginning ?? 0)), "seed \(seed)")
      }
      redactor.finish { masked += $0 }
      #expect(masked == plainMasking(text, secrets, upTo: text.count), "seed \(seed)")
    }
  }

  /// The simplest implementation of the rule.
  private func plainMasking(_ text: [UInt8], _ secrets: [[UInt8]], upTo end: Int) -> [UInt8] {
    var covered = [Bool](repeating: false, count: text.count)
    for secret in secrets where secret.count <= text.count {
      for start in 0...(text.count - secret.count) where text[start...].starts(with: secret) {
        for index in start..<start + secret.count { covered[index] = true }
      }
    }
    var masked: [UInt8] = []
    for index in 0..<end {
      if !covered[index] {
        masked.append(text[index])
      } else if index == 0 || !covered[index - 1] {
        masked += Redaction.mask
      }
    }
    return masked
  }

  @Test func largeSecretIsMaskedInManyPieces() throws {
    let secret = (0..<20_000).map { "\($0)," }.joined()
    let trie = try #require(Redaction([secret]).trie)
    var redactor = StreamRedactor(trie)
    var masked: [UInt8] = []
    for byte in "<\(secret)>".utf8 {
      withUnsafeBytes(of: byte) { redactor.pass($0) { masked += $0 } }
    }
    redactor.finish { masked += $0 }
    #expect(masked == Array("<***>".utf8))
  }
}
