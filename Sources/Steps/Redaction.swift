/// Masks secrets: every range of bytes that secrets cover, with overlapping ones merged, becomes `***`.
///
/// A secret of several lines is searched line by line, without surrounding white space, because programs indent and
/// wrap. Lines of fewer than ``shortest`` characters are not searched: they would match everywhere. The usual encodings are
/// searched, too: see ``SecretForms``.
package struct Redaction: Sendable {
  /// The minimum length in characters of a secret, or a line of one, that is masked.
  package static let shortest = 4
  static let mask = Array("***".utf8)

  let trie: SecretTrie?

  /// Masks nothing.
  package static let none = Redaction([])

  /// Masks `secrets`.
  package init(_ secrets: some Sequence<String>) {
    let forms = secrets.reduce(into: Set<[UInt8]>()) { $0.formUnion(SecretForms($1).all) }
    trie = forms.isEmpty ? nil : SecretTrie(forms)
  }

  /// The parts of `secret` that are searched.
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

/// Masks secrets in a stream, regardless of how it is cut into pieces.
///
/// A possible beginning of a secret is held back until more input decides, or the end. No secret contains a line end,
/// so a whole line is never held back.
struct StreamRedactor {
  private let trie: SecretTrie
  private var node = SecretTrie.root
  /// The bytes held back: the last `trie.undecided(node)` ones.
  private var held: [UInt8] = []
  /// The ranges that secrets cover in `held` and the piece after it, as offsets from the beginning of `held`; disjoint,
  /// and in order.
  private var covered: [Range<Int>] = []
  /// Whether the last output was a mask, which stands for the covered bytes that follow, too.
  private var isMasking = false

  init(_ trie: SecretTrie) {
    self.trie = trie
  }

  /// Processes the next piece, and passes decided bytes to `out`, in order.
  mutating func pass(_ piece: UnsafeRawBufferPointer, _ out: (UnsafeRawBufferPointer) -> Void) {
    find(piece)
    let end = held.count + piece.count - trie.undecided(node)
    guard covered.isEmpty, held.isEmpty, !isMasking else { return rewrite(piece, end, out) }
    if end > 0 { out(UnsafeRawBufferPointer(rebasing: piece[..<end])) }
    held = Array(piece[end...])
  }

  /// Passes the held-back bytes to `out`: they are no secret.
  mutating func finish(_ out: (UnsafeRawBufferPointer) -> Void) {
    rewrite(UnsafeRawBufferPointer(start: nil, count: 0), held.count, out)
    node = SecretTrie.root
    isMasking = false
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

  /// Passes the bytes before `end`, masked, to `out`, and keeps the rest.
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

/// Searches a stream of bytes for all secrets at once: the automaton of Aho and Corasick (CACM 18, 1975), with edges as
/// lists, because nearly every node has one child. 25 bytes for each byte of the secrets.
struct SecretTrie: Sendable {
  /// A node of the trie: the longest suffix of the input that begins a secret.
  typealias Node = Int32

  static let root: Node = 0

  private var byte: [UInt8] = [0]
  private var firstChild: [Node] = [-1]
  private var sibling: [Node] = [-1]
  private var fallback: [Node] = [0]
  private var depths: [Int32] = [0]
  private var undecided: [Int32] = [0]
  private var longest: [Int32] = [0]
  /// The child of the root for each byte.
  private var first = [Node](repeating: 0, count: 256)

  init(_ secrets: some Sequence<[UInt8]>) {
    for secret in secrets { insert(secret) }
    link()
  }

  private mutating func insert(_ secret: [UInt8]) {
    var node = SecretTrie.root
    for byte in secret {
      if let child = child(of: node, byte) {
        node = child
        continue
      }
      let new = Node(self.byte.count)
      self.byte.append(byte)
      firstChild.append(-1)
      sibling.append(firstChild[Int(node)])
      fallback.append(0)
      depths.append(depths[Int(node)] + 1)
      undecided.append(0)
      longest.append(0)
      firstChild[Int(node)] = new
      if node == SecretTrie.root { first[Int(byte)] = new }
      node = new
    }
    longest[Int(node)] = depths[Int(node)]
  }

  /// Works breadth-first: the fallback of a node is shallower than the node.
  private mutating func link() {
    var queue = [SecretTrie.root]
    var next = 0
    while next < queue.count {
      let node = queue[next]
      next += 1
      let isBeginning = firstChild[Int(node)] >= 0
      undecided[Int(node)] = isBeginning ? depths[Int(node)] : undecided[Int(fallback[Int(node)])]
      var child = firstChild[Int(node)]
      while child >= 0 {
        if node != SecretTrie.root { fallback[Int(child)] = step(fallback[Int(node)], byte[Int(child)]) }
        longest[Int(child)] = max(longest[Int(child)], longest[Int(fallback[Int(child)])])
        queue.append(child)
        child = sibling[Int(child)]
      }
    }
  }

  private func child(of node: Node, _ byte: UInt8) -> Node? {
    if node == SecretTrie.root { return first[Int(byte)] == 0 ? nil : first[Int(byte)] }
    var child = firstChild[Int(node)]
    while child >= 0, self.byte[Int(child)] != byte { child = sibling[Int(child)] }
    return child >= 0 ? child : nil
  }

  /// The node that follows `node` at `byte`.
  func step(_ node: Node, _ byte: UInt8) -> Node {
    var node = node
    while node != SecretTrie.root {
      if let child = child(of: node, byte) { return child }
      node = fallback[Int(node)]
    }
    return first[Int(byte)]
  }

  /// The index of the first byte, from `index` on, that can begin a secret; `bytes.count` if there is none.
  func firstCandidate(in bytes: UnsafeRawBufferPointer, from index: Int) -> Int {
    first.withUnsafeBufferPointer { first in
      var index = index
      while index < bytes.count, first[Int(bytes[index])] == 0 { index += 1 }
      return index
    }
  }

  /// The number of last bytes that begin a secret that may still be completed.
  func undecided(_ node: Node) -> Int { Int(undecided[Int(node)]) }

  /// The length of the longest secret that ends here; 0 if none does.
  func match(_ node: Node) -> Int { Int(longest[Int(node)]) }
}
