/// A pattern with `*`, `**`, `?`, `[...]` and `\`, compiled to steps that are followed all at once, so that its time does not
/// grow with more than the product of its length and that of the name.
struct GlobPattern: Sendable, Equatable {
  /// What a pattern is compared with.
  enum Subject {
    /// The last component of a path.
    case names
    /// Whole paths: only `**` next to slashes matches a slash.
    case paths
  }

  private enum Step: Sendable, Equatable {
    case byte(UInt8)
    case set(ByteSet)
    /// Any number of bytes other than a slash.
    case star
    /// Any number of bytes.
    case anything
    /// The next steps, or those after as many of them.
    case optional(Int)

    var byte: UInt8? { if case .byte(let byte) = self { byte } else { nil } }
  }

  private let steps: [Step]
  /// The whole pattern, if it contains nothing special.
  private let literal: [UInt8]?
  /// What every match begins and ends with. Most names do not, so they are told apart without following the steps.
  private let head: [UInt8]
  private let tail: [UInt8]
  private static let slash = UInt8(ascii: "/")

  init(literal: [UInt8]) {
    self.literal = literal
    (steps, head, tail) = ([], [], [])
  }

  init(_ text: [UInt8], _ subject: Subject) throws(PatternFault) {
    guard let first = text.firstIndex(where: GlobPattern.isSpecial) else {
      self = GlobPattern(literal: text)
      return
    }
    var steps = text[..<first].map { Step.byte($0) }
    var rest = text[first...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\\"):
        guard let next = rest.popFirst() else { throw PatternFault("ends with a backslash; write \\\\ for one") }
        steps.append(.byte(next))
      case UInt8(ascii: "?"): steps.append(.set(.other(than: GlobPattern.slash)))
      case UInt8(ascii: "["): steps.append(.set(try ByteSet(&rest)))
      case UInt8(ascii: "*"):
        let begin = rest.startIndex - 1
        rest = rest.drop { $0 == byte }
        // git compares the literal beginning of a pattern apart, so `**` behind it counts as the beginning of a path.
        let opens = begin == first || text[begin - 1] == GlobPattern.slash
        let closes =
          rest.isEmpty || rest.first == GlobPattern.slash || rest.starts(with: [UInt8(ascii: "\\"), GlobPattern.slash])
        guard subject == .paths, rest.startIndex - begin > 1, opens, closes else {
          steps.append(.star)
          continue
        }
        if rest.first == GlobPattern.slash { steps.append(.optional(2)) }
        steps.append(.anything)
      default: steps.append(.byte(byte))
      }
    }
    let bytes = steps.compactMap(\.byte)
    self = bytes.count == steps.count ? GlobPattern(literal: bytes) : GlobPattern(steps)
  }

  private init(_ steps: [Step]) {
    self.steps = steps
    literal = nil
    head = GlobPattern.bytes(before: steps)
    tail = GlobPattern.bytes(behind: steps)
  }

  /// The bytes at the beginning of every match of steps that are not all bytes.
  private static func bytes(before steps: [Step]) -> [UInt8] {
    steps.prefix { $0.byte != nil }.compactMap(\.byte)
  }

  /// The bytes at their end.
  private static func bytes(behind steps: [Step]) -> [UInt8] {
    var start = 0
    for (index, step) in steps.enumerated() {
      if case .optional(let count) = step { start = max(start, index + 1 + count) }
      if step.byte == nil { start = max(start, index + 1) }
    }
    return steps[start...].compactMap(\.byte)
  }

  static func isSpecial(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\"): true
    default: false
    }
  }

  func matches(_ text: ArraySlice<UInt8>) -> Bool {
    if let literal { return literal[...] == text }
    guard text.count >= head.count + tail.count, text.starts(with: head), text.suffix(tail.count) == tail[...] else {
      return false
    }
    var current = [Bool](repeating: false, count: steps.count + 1)
    var next = current
    enter(0, &current)
    for byte in text {
      var isAlive = false
      for index in steps.indices where current[index] {
        let followed: Int? =
          switch steps[index] {
          case .byte(let wanted): wanted == byte ? index + 1 : nil
          case .set(let set): set.contains(byte) && byte != GlobPattern.slash ? index + 1 : nil
          case .star: byte != GlobPattern.slash ? index : nil
          case .anything: index
          case .optional: nil
          }
        guard let followed else { continue }
        enter(followed, &next)
        isAlive = true
      }
      guard isAlive else { return false }
      swap(&current, &next)
      for index in next.indices { next[index] = false }
    }
    return current[steps.count]
  }

  /// Marks a step as reached, and those that follow it without a byte.
  private func enter(_ index: Int, _ reached: inout [Bool]) {
    if reached[index] { return }
    reached[index] = true
    guard index < steps.count else { return }
    switch steps[index] {
    case .star, .anything: enter(index + 1, &reached)
    case .optional(let count):
      enter(index + 1, &reached)
      enter(index + 1 + count, &reached)
    case .byte, .set: break
    }
  }
}

/// The bytes that a bracket expression of a pattern matches (POSIX, Shell Command Language, section 2.13.1).
struct ByteSet: Sendable, Equatable {
  private var words: SIMD4<UInt64> = .zero

  func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }

  private mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }

  static func other(than byte: UInt8) -> ByteSet {
    var set = ByteSet()
    set.insert(byte)
    set.words = ~set.words
    return set
  }

  private init() {}

  /// Reads an expression behind its opening bracket, and its closing one.
  init(_ rest: inout ArraySlice<UInt8>) throws(PatternFault) {
    let isNegated = rest.first == UInt8(ascii: "!") || rest.first == UInt8(ascii: "^")
    if isNegated { rest.removeFirst() }
    // The first byte of a range; none after a range or a class.
    var low: UInt8?
    var isFirst = true
    while true {
      guard var byte = rest.popFirst() else { throw ByteSet.unclosed }
      if byte == UInt8(ascii: "]"), !isFirst { break }
      isFirst = false
      if byte == UInt8(ascii: "-"), let begin = low, let end = rest.first, end != UInt8(ascii: "]") {
        rest.removeFirst()
        let last = end == UInt8(ascii: "\\") ? try ByteSet.escaped(&rest) : end
        if begin <= last { for member in begin...last { insert(member) } }
        low = nil
        continue
      }
      if byte == UInt8(ascii: "["), rest.first == UInt8(ascii: ":"), try readClass(&rest) {
        low = nil
        continue
      }
      if byte == UInt8(ascii: "\\") { byte = try ByteSet.escaped(&rest) }
      insert(byte)
      low = byte
    }
    if isNegated { words = ~words }
  }

  private static var unclosed: PatternFault { PatternFault("has a [ without its ]; write \\[ for a bracket") }

  private static func escaped(_ rest: inout ArraySlice<UInt8>) throws(PatternFault) -> UInt8 {
    guard let byte = rest.popFirst() else { throw unclosed }
    return byte
  }

  /// Reads `:name:]`; `false` if it is no class, but ordinary members.
  private mutating func readClass(_ rest: inout ArraySlice<UInt8>) throws(PatternFault) -> Bool {
    guard let end = rest.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { throw ByteSet.unclosed }
    let name = rest[(rest.startIndex + 1)..<end]
    guard name.last == UInt8(ascii: ":") else { return false }
    let text = String(decoding: name.dropLast(), as: UTF8.self)
    guard let isMember = ByteSet.classes[text] else {
      throw PatternFault("has the unknown class [:\(text):]; [:alpha:] or [:digit:], for example, is expected")
    }
    for byte in UInt8(0)...127 where isMember(byte) { insert(byte) }
    rest = rest[(end + 1)...]
    return true
  }

  private static let classes: [String: @Sendable (UInt8) -> Bool] = [
    "alnum": { isLetter($0) || isDigit($0) }, "alpha": isLetter, "blank": { $0 == 0x20 || $0 == 0x09 },
    "cntrl": { $0 < 0x20 || $0 == 0x7F }, "digit": isDigit, "graph": { (0x21...0x7E).contains($0) },
    "lower": { (0x61...0x7A).contains($0) }, "print": { (0x20...0x7E).contains($0) },
    "punct": { (0x21...0x7E).contains($0) && !isLetter($0) && !isDigit($0) },
    // As git has it: without vertical tab and form feed.
    "space": { [0x20, 0x09, 0x0A, 0x0D].contains($0) }, "upper": { (0x41...0x5A).contains($0) },
    "xdigit": { isDigit($0) || (0x41...0x46).contains($0 & 0xDF) },
  ]

  private static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) }
  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
