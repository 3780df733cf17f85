/// What a folder is called that belongs to the workers of one topic filter.
///
/// It is the filter, percent-encoded. A file name has at most 255 bytes (`NAME_MAX`, limits.h); of a longer one the beginning is
/// kept, with `~` and the filter's digest behind it, and the filter stands in `.worker/filters/<digest>`. No encoded filter has
/// a `~`.
struct FilterName {
  package let text: String
  private static let longest = 255

  init(_ filter: String) {
    let encoded = percentEncoded(filter)
    guard encoded.utf8.count > FilterName.longest else {
      text = encoded
      return
    }
    let digest = digestText(of: Array(filter.utf8)).dropFirst("sha256:".utf8.count)
    text = FilterName.whole(encoded.prefix(FilterName.longest - 1 - digest.utf8.count)) + "~" + digest
  }

  /// Less what is left of a `%XX` that was cut.
  private static func whole(_ encoded: Substring) -> Substring {
    encoded.suffix(2).lastIndex(of: "%").map { encoded[..<$0] } ?? encoded
  }

  /// The digest in a name that was shortened; `nil` for others.
  fileprivate static func digest(in name: String) -> String? {
    name.firstIndex(of: "~").map { String(name[name.index(after: $0)...]) }
  }
}

extension JobsDirectory {
  /// The filters whose folders have a shortened name.
  private var filters: VolumePath { state.appending("filters") }

  /// Writes down which filter a shortened name means, for those who look at the volume. Workers know theirs, and do without.
  func writeDown(_ filter: String) {
    let name = FilterName(filter).text
    guard let digest = FilterName.digest(in: name), self.filter(ofFolder: name) != filter else { return }
    try? DurableFile.makeFolder(filters)
    try? DurableFile.replace(filters.appending(digest), Array(filter.utf8))
  }

  /// The filter that a folder's name means; of a shortened one that nobody wrote down, how it begins.
  package func filter(ofFolder name: String) -> String {
    guard let digest = FilterName.digest(in: name) else { return percentDecoded(name) }
    // Anybody may have written it.
    if let bytes = try? DurableFile.read(filters.appending(digest), limit: 1 << 16),
      let filter = String(validating: bytes, as: UTF8.self), FilterName(filter).text == name
    {
      return filter
    }
    return percentDecoded(String(name.prefix { $0 != "~" })) + "…"
  }
}

/// Text as one path component: every byte but letters, digits, `-` and `_` becomes `%XX`.
private func percentEncoded(_ text: String) -> String {
  var encoded = ""
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      encoded.unicodeScalars.append(Unicode.Scalar(byte))
    default:
      let digits = String(byte, radix: 16, uppercase: true)
      encoded += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
    }
  }
  return encoded
}

/// The text with every `%XX` as the byte that it stands for; a `%` that is followed by anything else stays.
package func percentDecoded(_ name: String) -> String {
  var bytes: [UInt8] = []
  var rest = Array(name.utf8)[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "%"), rest.count >= 2,
      let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
    {
      bytes.append(value)
      rest = rest.dropFirst(2)
    } else {
      bytes.append(byte)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
