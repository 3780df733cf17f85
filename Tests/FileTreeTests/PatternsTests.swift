import FileTree
import SystemPackage
import TestSupport
import Testing

/// Patterns, compared with `git check-ignore`.
@Suite struct PatternsTests {
  private let scratch: Scratch

  init() throws {
    scratch = try Scratch()
  }

  /// Pieces of patterns and names. Few letters, so that many of them match.
  private static let words = [
    "a", "b", "ab", "a.o", "A", "lib", " ", "é", "a]", "a-", "!a", "#b", "a\nb", ".a", "b*", "b\\",
  ]
  private static let pieces = [
    "*", "**", "?", "[ab]", "[!a]", "[^b]", "[a-z]", "[]a]", "[a-]", "[[:alpha:]]", "[[:punct:]]x", "[\\]]", "[", "\\a",
    "\\*", "\\",
    "***", "[z-a]", "[[:nope:]]", "[[:space:]]", "[a[:digit:]]", "[/]", "[[]", "[a", "x[[:]", " ", "\\ ",
  ]

  private func randomPattern(_ random: inout SeededRandom) -> String {
    var text = ["", "", "", "!", "\\!", "\\#", "/", "!/"].randomElement(using: &random)!
    for component in 0..<Int.random(in: 1...3, using: &random) {
      if component > 0 { text += "/" }
      if Int.random(in: 0..<5, using: &random) == 0 {
        text += "**"
        continue
      }
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        let isWord = Bool.random(using: &random)
        text += (isWord ? Self.words : Self.pieces).randomElement(using: &random)!.filter { $0 != "\n" }
      }
    }
    return text + ["", "", "", "/", " ", "/**", "**"].randomElement(using: &random)!
  }

  @Test(.timeLimit(.minutes(3)), arguments: 1...4)
  func randomPatternsAgreeWithGit(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    try scratch.shell("mkdir tree; cd tree; git init -q . 2>/dev/null || git init . > /dev/null")
    var paths: [String] = []
    for first in Self.words.shuffled(using: &random).prefix(6) {
      paths.append(first)
      for second in Self.words.shuffled(using: &random).prefix(4) {
        paths.append("\(first)/\(second)")
        for third in Self.words.shuffled(using: &random).prefix(2) { paths.append("\(first)/\(second)/\(third)") }
      }
    }
    let folders = Set(paths.filter { path in paths.contains { $0.hasPrefix(path + "/") } })
    for path in paths where !folders.contains(path) { try scratch.write("tree/\(path)", "") }
    try scratch.write("paths", paths.map { $0 + "\0" }.joined())

    var cases = 0
    for _ in 0..<60 {
      let texts = (0..<Int.random(in: 1...4, using: &random)).map { _ in randomPattern(&random) }
      try scratch.write("tree/.gitignore", texts.joined(separator: "\n") + "\n")
      let ignored = try ignoredByGit()
      let usable = texts.filter { (try? Patterns([$0])) != nil }
      let patterns = try Patterns(usable)
      for path in paths {
        #expect(
          excludes(patterns, path, folders) == ignored.contains(path),
          "patterns \(texts), of which \(usable) are usable, and the path '\(path)'")
        cases += 1
      }
    }
    #expect(cases > 2500)
  }

  /// The paths that git calls ignored: the pattern that it names is not negated.
  private func ignoredByGit() throws -> Set<String> {
    let output = try scratch.shell("cd tree; git check-ignore --no-index -v -n -z --stdin < ../paths || [ $? = 1 ]")
    let fields = output.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
    var ignored: Set<String> = []
    for start in stride(from: 0, to: fields.count - 3, by: 4) {
      let (source, pattern, path) = (fields[start], fields[start + 2], fields[start + 3])
      if !source.isEmpty, !pattern.hasPrefix("!") { ignored.insert(path) }
    }
    return ignored
  }

  /// Whether the patterns exclude a path or a folder above it.
  private func excludes(_ patterns: Patterns, _ path: String, _ folders: Set<String>) -> Bool {
    let components = path.split(separator: "/")
    for count in 1...components.count {
      let part = components.prefix(count).joined(separator: "/")
      if patterns.verdict(on: RelativePath(part), isFolder: folders.contains(part)) == .matched { return true }
    }
    return false
  }

  @Test(arguments: [
    ("", "is empty"), ("!", "names nothing"), ("/", "names nothing"), ("  ", "names nothing"), ("#x", "is a comment"),
    ("a//b", "empty component"), ("./dist", "component '.'"), ("a/../b", "component '..'"), ("[a", "without its ]"),
    ("[[:nope:]]", "unknown class [:nope:]"), ("a\\", "ends with a backslash"), ("a\0b", "NUL"),
  ])
  func patternThatMatchesNothingIsRefusedWithItsPlace(_ text: String, _ fault: String) throws {
    let error = try #require(throws: InvalidPattern.self) { try Patterns(["ok", text]) }
    #expect(error.index == 1)
    #expect(error.fault.contains(fault))
  }

  @Test func nameThatIsNotTextMatchesByItsBytes() throws {
    let patterns = try Patterns(["caf?", "*.o"])
    #expect(patterns.verdict(on: RelativePath(bytes: Array("caf".utf8) + [0xE9]), isFolder: false) == .matched)
    #expect(patterns.verdict(on: RelativePath(bytes: [0xFF, 0x2E, 0x6F]), isFolder: false) == .matched)
    #expect(patterns.verdict(on: RelativePath("café"), isFolder: false) == .unmatched, "é is two bytes")
  }

  @Test func hostilePatternTakesNoTimeThatGrowsWithItsPower() throws {
    let text = String(repeating: "*a", count: 40)
    let name = RelativePath(String(repeating: "a", count: 200) + "b")
    #expect(try Patterns([text]).verdict(on: name, isFolder: false) == .unmatched)
  }

  @Test func literalPathMatchesWhateverItContains() {
    let patterns = Patterns(paths: [RelativePath("!a/[b]*"), RelativePath("#c ")])
    #expect(patterns.verdict(on: RelativePath("!a/[b]*"), isFolder: true) == .matched)
    #expect(patterns.verdict(on: RelativePath("#c "), isFolder: false) == .matched)
    #expect(patterns.verdict(on: RelativePath("x/#c "), isFolder: false) == .unmatched)
    #expect(patterns.verdict(on: RelativePath("!a/b"), isFolder: true) == .unmatched)
  }
}
