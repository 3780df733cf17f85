/// What must not be shown: every run of bytes that secrets cover, overlapping ones together, becomes `***`.
///
/// A secret of several lines is looked for line by line, without the white space around each, because programs indent and
/// wrap. Lines of fewer than ``shortest`` characters are not looked for: they would turn up everywhere.
package struct Redaction: Sendable {
  /// The fewest characters that a secret, or a line of one, must have to be masked.
  package static let shortest = 4
  static let mask = Array("***".utf8)

  let trie: SecretTrie?

  /// Masks nothing.
  package static let none = Redaction([])

  /// Masks `secrets`.
  package init(_ secrets: some Sequence<String>) {
    let lines = Set(secrets.flatMap(Redaction.lines))
    trie = lines.isEmpty ? nil : SecretTrie(lines)
  }

  /// The parts of `secret` that are looked for.
  package static func lines(of secret: String) -> [[UInt8]] {
    secret.split(whereSeparator: \.isNewline).compactMap { line in
      var line = line.drop(while: \.isWhitespace)
      while line.last?.isWhitespace == true { line.removeLast() }
      return line.unicodeScalars.count >= shortest ? Array(line.utf8) : nil
    }
  }

  /// `text` with its secrets masked.
  package func masking(_ text: String) -> String {
    guard let trie else { return text }
    var redactor = StreamRedactor(trie)
    var masked: [UInt8] = []
    var text = text
    text.withUTF8 { bytes in
      redactor.pass(UnsafeRawBufferPointer(bytes)) { masked += $0 }
    }
    redactor.finish { masked += $0 }
    return String(decoding: masked, as: UTF8.self)
  }
}

/// Masks secrets in a stream, however it is cut into pieces.
///
/// What may be the beginning of a secret is held back until more comes, or the end. No secret holds a line's end, so a whole
/// line is never held back.
struct StreamRedactor {
  private let trie: SecretTrie
  private var node = SecretTrie.root
  /// What is held back: the last `trie.undecided(node)` bytes.
  private var held: [UInt8] = []
  /// What secrets cover of `held` and the piece after it, as offsets from the beginning of `held`; apart, and in order.
  private var covered: [Range<Int>] = []
  /// The last byte that went out was covered, and stands for what is covered after it.
  private var isMasking = false

  init(_ trie: SecretTrie) {
    self.trie = trie
  }

  /// Takes the next piece, and gives what is decided to `out`, in order.
  package mutating func pass(_ piece: UnsafeRawBufferPointer, _ out: (UnsafeRawBufferPointer) -> Void) {
    find(piece)
    let end = held.count + piece.count - trie.undecided(node)
    guard covered.isEmpty, held.isEmpty, !isMasking else { return rewrite(piece, end, out) }
    if end > 0 { out(UnsafeRawBufferPointer(rebasing: piece[..<end])) }
    held = Array(piece[end...])
  }

  /// Gives what was held back to `out`: it is no secret.
  package mutating func finish(_ out: (UnsafeRawBufferPointer) -> Void) {
    rewrite(UnsafeRawBufferPointer(start: nil, count: 0), held.count, out)
    node = SecretTrie.root
  }

  private mutating func find(_ piece: UnsafeRawBufferPointer) {
    var index = 0
    while index < piece.count {
      if node == SecretTrie.root {
        index = trie.firstCandidate(in: piece, from: index)
        if index == piece.count { return }
      }
      node = trie.step(node, piece[index])
      index += 1
      let length = trie.match(node)
      if length > 0 { cover(held.count + index - length..<held.count + index) }
    }
  }

  private mutating func cover(_ range: Range<Int>) {
    var start = range.lowerBound
    while let last = covered.last, last.upperBound >= start {
      start = min(start, last.lowerBound)
      covered.removeLast()
    }
    covered.append(start..<range.upperBound)
  }

  /// Gives what lies before `end`, masked, to `out`, and keeps the rest.
  private mutating func rewrite(
    _ piece: UnsafeRawBufferPointer, _ end: Int, _ out: (UnsafeRawBufferPointer) -> Void
  ) {
    let bytes = held + piece
    var decided: [UInt8] = []
    decided.reserveCapacity(end)
    var position = 0
    for range in covered where position < end && range.lowerBound < end {
      if range.lowerBound > position {
        decided += bytes[position..<range.lowerBound]
        isMasking = false
      }
      if !isMasking { decided += Redaction.mask }
      isMasking = true
      position = min(range.upperBound, end)
    }
    if position < end {
      decided += bytes[position..<end]
      isMasking = false
    }
    held = Array(bytes[end...])
    covered = covered.compactMap { $0.upperBound > end ? max($0.lowerBound - end, 0)..<($0.upperBound - end) : nil }
    if !decided.isEmpty { decided.withUnsafeBytes { out($0) } }
  }
}
