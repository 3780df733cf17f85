/// The forms in which programs print a secret: as it is, as a string of JSON or XML, in a URL (RFC 3986; HTML forms), and in
/// Base64 (RFC 4648), where it may also stand behind other text.
struct SecretForms {
  /// The longest secret, in bytes, whose encoded forms are searched, too: they take ten times the memory.
  private static let longest = 16 << 10
  /// Shorter pieces of Base64 would match by accident.
  private static let shortestBase64 = 6
  private static let hexDigits = [Array("0123456789ABCDEF".utf8), Array("0123456789abcdef".utf8)]
  private static let base64Letters = ["+/", "-_"].map {
    Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\($0)".utf8)
  }

  /// What is searched for, each without a line end.
  private(set) var all: Set<[UInt8]> = []

  init(_ secret: String) {
    let lines = Redaction.lines(of: secret)
    all.formUnion(lines)
    guard secret.utf8.count <= SecretForms.longest else { return }
    for line in lines {
      insertEscaped(String(decoding: line, as: UTF8.self))
      insertPercentEncoded(line)
    }
    // A program may encode the whole secret, or one line of it.
    let whole = Array(secret.utf8)
    for text in Set(lines + (whole.count >= Redaction.shortest ? [whole] : [])) {
      for letters in SecretForms.base64Letters { insertBase64(text, letters) }
    }
  }

  // MARK: JSON and XML

  private mutating func insertEscaped(_ line: String) {
    for escapesSlash in [false, true] {
      for escapesOthers in [false, true] {
        let form = line.unicodeScalars.map { scalar -> String in
          switch scalar {
          case "\"", "\\": "\\\(scalar)"
          case "\t": "\\t"
          case "/" where escapesSlash: "\\/"
          case _ where scalar.value < 0x20 || scalar.value > 0x7E && escapesOthers: SecretForms.unicodeEscape(scalar)
          default: String(scalar)
          }
        }
        all.insert(Array(form.joined().utf8))
      }
    }
    let entities: [Unicode.Scalar: String] = ["&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;"]
    for apostrophe in ["'", "&apos;", "&#39;"] {
      let form = line.unicodeScalars.map { $0 == "'" ? apostrophe : entities[$0] ?? String($0) }
      all.insert(Array(form.joined().utf8))
    }
  }

  private static func unicodeEscape(_ scalar: Unicode.Scalar) -> String {
    UTF16.encode(scalar)!.map { unit in
      let digits = String(unit, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined()
  }

  // MARK: URLs

  private mutating func insertPercentEncoded(_ line: [UInt8]) {
    // What RFC 3986, JavaScript's encodeURIComponent and HTML forms leave as it is, beside letters and digits.
    for (unreserved, blank) in [("-._~", "%20"), ("-._~!'()*", "%20"), ("-._*", "+"), ("-._~/", "%20")] {
      let kept = Set(unreserved.utf8)
      for digits in SecretForms.hexDigits {
        all.insert(
          line.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: " "): Array(blank.utf8)
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: [byte]
            case _ where kept.contains(byte): [byte]
            default: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
          })
      }
    }
  }

  // MARK: Base64

  private mutating func insertBase64(_ bytes: [UInt8], _ letters: [UInt8]) {
    for before in 0..<3 {
      // The first and the last letter also depend on what stands before and behind the secret.
      let bits = ([UInt8](repeating: 0, count: before) + bytes)
      let first = before == 0 ? 0 : before + 1
      let certain = SecretForms.base64(bits, letters).prefix(bits.count * 8 / 6).dropFirst(first)
      insertPieces(Array(certain))
    }
    insertPieces(SecretForms.base64(bytes, letters))
  }

  /// Programs break long Base64 into lines of 76 (MIME) or 64 letters (PEM).
  private mutating func insertPieces(_ text: [UInt8]) {
    guard text.count >= SecretForms.shortestBase64 else { return }
    all.insert(text)
    for width in [64, 76] where text.count > width {
      for start in stride(from: 0, to: text.count, by: width) {
        let piece = text[start..<min(start + width, text.count)]
        if piece.count >= SecretForms.shortestBase64 { all.insert(Array(piece)) }
      }
    }
  }

  /// The letters of Base64, without padding.
  private static func base64(_ bytes: [UInt8], _ letters: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 4 / 3 + 2)
    var (value, bits) = (0, 0)
    for byte in bytes {
      (value, bits) = ((value << 8 | Int(byte)) & 0xFFFF, bits + 8)
      while bits >= 6 {
        bits -= 6
        text.append(letters[value >> bits & 63])
      }
    }
    if bits > 0 { text.append(letters[value << (6 - bits) & 63]) }
    return text
  }
}
