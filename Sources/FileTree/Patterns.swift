/// Patterns of gitignore(5), in order: of those that match an entry, the last one counts.
///
/// A pattern without a slash matches at any depth, one with a slash at its beginning or in its middle only from the root
/// of the tree. A slash at its end restricts it to folders, `!` at its beginning negates it, and `**` between slashes
/// matches any number of folders. Patterns and names are bytes; case counts, and a leading dot is nothing special. What
/// `git check-ignore` does where the manual is silent, these patterns do, too.
public struct Patterns: Sendable, Equatable {
  /// Patterns that match nothing.
  public static let none = Patterns(list: [])

  /// What the patterns say about an entry itself, whatever they say about the folders above it.
  public enum Verdict: Sendable {
    case matched
    /// The last pattern that matches begins with `!`.
    case negated
    case unmatched
  }

  private let list: [Pattern]

  private init(list: [Pattern]) {
    self.list = list
  }

  /// Reads one pattern from each text. Throws ``InvalidPattern`` for a text that can match nothing.
  public init(_ texts: [String]) throws(InvalidPattern) {
    var list: [Pattern] = []
    for (index, text) in texts.enumerated() {
      do throws(PatternFault) {
        list.append(try Pattern(Array(text.utf8)))
      } catch {
        throw InvalidPattern(index: index, text: text, fault: error.text)
      }
    }
    self.list = list
  }

  /// Patterns that match exactly these paths, whatever characters they contain.
  public init(paths: [RelativePath]) {
    list = paths.map { Pattern(literal: $0.bytes) }
  }

  /// Patterns that negate exactly these paths.
  public init(exceptions paths: [RelativePath]) {
    list = paths.map { Pattern(literal: $0.bytes, isNegated: true) }
  }

  /// These patterns, followed by others.
  public static func + (first: Patterns, second: Patterns) -> Patterns {
    Patterns(list: first.list + second.list)
  }

  /// Whether there is no pattern.
  public var isEmpty: Bool { list.isEmpty }

  /// The verdict on the entry at `path`, relative to the root of the tree.
  public func verdict(on path: RelativePath, isFolder: Bool) -> Verdict {
    let name = path.name
    for pattern in list.reversed() where pattern.matches(path.bytes, name, isFolder: isFolder) {
      return pattern.isNegated ? .negated : .matched
    }
    return .unmatched
  }

  /// Whether a pattern may match an entry below the folder at `path`, which none of them matches itself.
  func mayMatch(below path: RelativePath) -> Bool {
    list.contains { !$0.isNegated && $0.mayMatch(below: path.bytes) }
  }

  /// Each pattern as patterns of its own.
  public var single: [Patterns] { list.map { Patterns(list: [$0]) } }
}

/// A text that is no usable pattern.
public struct InvalidPattern: Error, Hashable, Sendable, CustomStringConvertible {
  /// Its place in the list.
  public let index: Int
  /// The text.
  public let text: String
  /// Its fault, as the rest of a sentence: "is empty".
  public let fault: String

  /// A sentence with the text and its fault.
  public var description: String { "the pattern '\(text)' \(fault)" }
}

/// The fault of a pattern, as the rest of a sentence.
struct PatternFault: Error {
  let text: String

  init(_ text: String) {
    self.text = text
  }
}

/// One pattern of gitignore(5).
struct Pattern: Sendable, Equatable {
  let isNegated: Bool
  private let onlyFolders: Bool
  /// Whether it is compared with the last component only.
  private let matchesNames: Bool
  private let glob: GlobPattern
  /// The first components of an anchored pattern, up to the first with a wildcard. Below other folders it matches nothing.
  private let anchor: [[UInt8]]

  private static let slash = UInt8(ascii: "/")

  init(literal path: [UInt8], isNegated: Bool = false) {
    self.isNegated = isNegated
    (onlyFolders, matchesNames) = (false, false)
    glob = GlobPattern(literal: path)
    anchor = path.split(separator: Pattern.slash).map(Array.init)
  }

  init(_ text: [UInt8]) throws(PatternFault) {
    if text.contains(0) { throw PatternFault("contains a NUL, which no name does") }
    if text.first == UInt8(ascii: "#") { throw PatternFault("is a comment; write \\# for a name that begins with #") }
    var rest = Pattern.trimmed(text)[...]
    isNegated = rest.first == UInt8(ascii: "!")
    if isNegated { rest = rest.dropFirst() }
    onlyFolders = rest.last == Pattern.slash
    if onlyFolders { rest = rest.dropLast() }
    guard !rest.isEmpty else { throw PatternFault(text.isEmpty ? "is empty" : "names nothing") }
    matchesNames = !rest.contains(Pattern.slash)
    if rest.first == Pattern.slash { rest = rest.dropFirst() }
    for component in rest.split(separator: Pattern.slash, omittingEmptySubsequences: false) {
      try Pattern.check(component)
    }
    let bytes = Array(rest)
    glob = try GlobPattern(bytes, matchesNames ? .names : .paths)
    let literal = bytes.prefix { !GlobPattern.isSpecial($0) }
    let whole = literal.split(separator: Pattern.slash).map(Array.init)
    let isCut = literal.count < bytes.count && literal.last != Pattern.slash
    anchor = matchesNames ? [] : isCut ? whole.dropLast() : whole
  }

  private static func check(_ component: ArraySlice<UInt8>) throws(PatternFault) {
    if component.isEmpty { throw PatternFault("has an empty component; no path has one") }
    let text = String(decoding: component, as: UTF8.self)
    if text == "." || text == ".." {
      throw PatternFault("has the component '\(text)'; paths begin at the root of the tree, so leave it out")
    }
  }

  /// The text without spaces at its end, unless a backslash protects them.
  private static func trimmed(_ text: [UInt8]) -> [UInt8] {
    var end = 0
    var isProtected = false
    for (index, byte) in text.enumerated() {
      if isProtected || byte != UInt8(ascii: " ") { end = index + 1 }
      isProtected = !isProtected && byte == UInt8(ascii: "\\")
    }
    return Array(text[..<end])
  }

  func matches(_ path: [UInt8], _ name: ArraySlice<UInt8>, isFolder: Bool) -> Bool {
    if onlyFolders, !isFolder { return false }
    return glob.matches(matchesNames ? name : path[...])
  }

  func mayMatch(below folder: [UInt8]) -> Bool {
    zip(anchor, folder.split(separator: Pattern.slash)).allSatisfy { $0[...] == $1 }
  }
}
