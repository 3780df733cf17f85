package import SystemPackage

/// Why an input is refused.
///
/// One sentence for its sender: what is wrong, where (line and column, or the step's index and the key), and
/// what would be right. Foreign text in it is clipped and escaped, so it may go to a terminal as it is.
package struct InvalidInput: Error, Sendable, Equatable, CustomStringConvertible {
  /// The job that was meant, when the id itself was readable and valid: its results topic is the place to answer.
  package let id: JobID?

  /// The sentence.
  package let description: String

  /// What the volume said, when it could not be read: then the job may be well, and its request must not be answered.
  package let fault: Errno?

  /// A refusal of `id`, or of an input whose id cannot be known.
  package init(id: JobID? = nil, description: String) {
    self.id = id
    self.description = description
    fault = nil
  }

  /// That what lies on the volume for `id` could not be opened or read because of `cause`.
  package init(id: JobID?, description: String, because cause: Errno) {
    self.id = id
    self.description = description
    fault = InvalidInput.isFault(cause) ? cause : nil
  }

  /// Whether it says nothing of the job's folder, but that the volume, or this machine, could not look.
  package static func isFault(_ cause: Errno) -> Bool { !ofTheOwner.contains(cause) && !cause.saysGone }

  /// What comes of how the job's owner made its folder and files. Everything else is the volume's, or this machine's.
  private static let ofTheOwner: Set<Errno> = [
    .noSuchFileOrDirectory, .notDirectory, .isDirectory, .tooManySymbolicLinkLevels, .improperLink, .permissionDenied,
    .notPermitted, .invalidArgument, .fileTooLarge, .fileNameTooLong, .noSuchAddressOrDevice,
  ]
}

extension String {
  /// Foreign text in quotes, for a sentence; see ``escaped``.
  package var quoted: String { "\"\(escaped)\"" }

  /// Foreign text that may go to a terminal: at most 64 characters of it, with everything that does not print escaped.
  package var escaped: String { escaped(upTo: 64) }

  /// The same, clipped elsewhere.
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

// Foreign text as a whole: the one filter between it and a terminal.
extension String {
  /// A line that may go to a terminal, or into a log: line ends and tabs become blanks, so that it cannot forge another line,
  /// and everything else that does not print is escaped.
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

  /// The same JSON text (RFC 8259, section 7) with everything escaped that does not print: an encoder leaves direction
  /// overrides and the controls from U+007F on as they are. Line ends stand between values only.
  package var escapedInJSON: String {
    guard !utf8.allSatisfy({ isPlain($0) || $0 == 0x0A }) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      if scalar == "\n" || scalar.prints {
        result.unicodeScalars.append(scalar)
      } else {
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      }
    }
    return result
  }
}

/// Most text is of printing ASCII, and need not be looked at letter by letter.
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
  package var hexadecimal: String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// The scalar named so that look-alikes and invisible ones are told apart.
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
