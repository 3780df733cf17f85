extension String {
  /// Foreign text in quotes, for a sentence; see ``escaped``.
  package var quoted: String { "\"\(escaped)\"" }

  /// Foreign text that a terminal can show: at most 64 characters, with all unprintable ones escaped.
  package var escaped: String { escaped(upTo: 64) }

  /// The same, clipped at `limit`.
  package func escaped(upTo limit: Int) -> String {
    var result = ""
    for (count, scalar) in unicodeScalars.enumerated() {
      switch scalar {
      case _ where count == limit: return result + "…"
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.prints: result.unicodeScalars.append(scalar)
      default: result += "\\u{\(scalar.hexadecimal)}"
      }
    }
    return result
  }
}

// Foreign text as a whole: the only filter between it and a terminal.
extension String {
  /// A line for a terminal or a log: line ends and tabs become blanks, so that it cannot forge another line, and other
  /// unprintable characters are escaped.
  package var onOneLine: String {
    guard !utf8.allSatisfy(isPlain) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\n", "\r", "\t": result += " "
      case _ where scalar.prints: result.unicodeScalars.append(scalar)
      default: result += "\\u{\(scalar.hexadecimal)}"
      }
    }
    return result
  }

  /// The same JSON text (RFC 8259, section 7) with unprintable characters escaped: an encoder does not escape direction
  /// overrides and the controls from U+007F on. Line ends occur only between values.
  package var escapedInJSON: String {
    guard !utf8.allSatisfy({ isPlain($0) || $0 == 0x0A }) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      if scalar == "\n" || scalar.prints {
        result.unicodeScalars.append(scalar)
      } else {
        for unit in String(scalar).utf16 {
          result += "\\u" + String(unit, radix: 16, width: 4)
        }
      }
    }
    return result
  }
}

/// Most text is printable ASCII: it needs no look at each letter.
private func isPlain(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F }

extension Unicode.Scalar {
  /// Whether a terminal shows it as a character: direction overrides, escapes and other line breaks do not.
  package var prints: Bool {
    if isASCII {
      return value >= 0x20 && value < 0x7F
    }
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
    default: return true
    }
  }

  /// The number in U+ notation's digits: at least four, upper case.
  var hexadecimal: String { String(value, radix: 16, width: 4).uppercased() }

  /// A name for the scalar that distinguishes look-alikes and invisible ones.
  package var named: String {
    switch self {
    case " ": return "a space"
    case "\"": return "a double quote"
    case _ where isASCII && prints: return "\"\(self)\""
    // An accent would attach itself to the quote before it.
    case _ where prints && !properties.isGraphemeExtend: return "\"\(self)\" (U+\(hexadecimal))"
    default: return "U+\(hexadecimal)"
    }
  }
}

extension String {
  /// The digits of a number that is not negative, with zeros before them up to `width`.
  init(_ number: some BinaryInteger, radix: Int = 10, width: Int) {
    let digits = String(number, radix: radix)
    self.init(repeating: "0", count: Swift.max(0, width - digits.utf8.count))
    self += digits
  }
}
