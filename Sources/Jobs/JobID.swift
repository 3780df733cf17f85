/// The name of a job: a path component of the volume and a topic level at once.
///
/// Matches `[A-Za-z0-9][A-Za-z0-9._-]{0,127}` byte for byte. So it is never `.`, `..` or an option, and holds no `/`,
/// NUL, `+` or `#`, and no look-alike of an ASCII letter.
package struct JobID: Hashable, Sendable, CustomStringConvertible {
  /// The id.
  package let text: String

  /// An id from text. Throws a sentence that names the first invalid character.
  package init(_ text: String) throws(InvalidInput) {
    if let fault = JobID.fault(in: text) {
      throw InvalidInput(
        description: """
          \(text.quoted) is not a job id: \(fault); an id is 1 to 128 of the characters A-Z, a-z, 0-9, ".", "_" and "-", \
          the first a letter or a digit
          """)
    }
    self.text = text
  }

  /// The id.
  package var description: String { text }

  /// While a file of this name is in the jobs folder, workers take no job. So no job may have this name.
  package static let killSwitch = "KILLSWITCH"

  private static func fault(in text: String) -> String? {
    guard text != killSwitch else { return "it is the name of the kill switch" }
    guard let first = text.unicodeScalars.first else {
      return "it is empty"
    }
    guard isLetterOrDigit(first) else {
      return "it starts with \(first.named)"
    }
    if let stranger = text.unicodeScalars.first(where: { !isLetterOrDigit($0) && !"._-".unicodeScalars.contains($0) }) {
      return "it holds \(stranger.named)"
    }
    let length = text.utf8.count
    return length > 128 ? "it is \(length) bytes long" : nil
  }

  private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "A"..."Z", "a"..."z", "0"..."9": true
    default: false
    }
  }
}

extension JobID: Codable {
  /// Reads a JSON string. Throws ``InvalidInput`` if it is not valid.
  package init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(String.self))
  }

  /// Writes a JSON string.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// The name of a worker: a client id, a path component and a topic level at once.
package struct WorkerID: Hashable, Sendable, CustomStringConvertible {
  /// The name.
  package let text: String

  /// A name by the rule of job ids; `%h` in it becomes the host name. `nil` for an invalid name.
  package init?(_ text: String, host: String) {
    // Most names have no `%h`: they skip the slower search.
    let isPlain = !text.utf8.contains(UInt8(ascii: "%"))
    let name = isPlain ? text : text.split(separator: "%h", omittingEmptySubsequences: false).joined(separator: host)
    guard (try? JobID(name)) != nil else { return nil }
    self.text = name
  }

  /// The name.
  package var description: String { text }
}
