/// All secrets at once, to look for in a stream of bytes: the automaton of Aho and Corasick (CACM 18, 1975), with edges
/// as lists, because nearly every node has one child only. 25 bytes for each byte of the secrets.
struct SecretTrie: Sendable {
  /// A place in the trie: the longest end of what was read that is the beginning of a secret.
  typealias Node = Int32

  package static let root: Node = 0

  private var byte: [UInt8] = [0]
  private var firstChild: [Node] = [-1]
  private var sibling: [Node] = [-1]
  private var fallback: [Node] = [0]
  private var depths: [Int32] = [0]
  private var undecided: [Int32] = [0]
  private var longest: [Int32] = [0]
  /// Where each byte leads from the root.
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

  /// Breadth first: the fallback of a node is shallower than the node.
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

  /// Where `byte` leads from `node`.
  package func step(_ node: Node, _ byte: UInt8) -> Node {
    var node = node
    while node != SecretTrie.root {
      if let child = child(of: node, byte) { return child }
      node = fallback[Int(node)]
    }
    return first[Int(byte)]
  }

  /// The index of the first byte from `index` on with which a secret begins; `bytes.count` if there is none.
  func firstCandidate(in bytes: UnsafeRawBufferPointer, from index: Int) -> Int {
    first.withUnsafeBufferPointer { first in
      var index = index
      while index < bytes.count, first[Int(bytes[index])] == 0 { index += 1 }
      return index
    }
  }

  /// How many of the last bytes are the beginning of a secret that may come to its end yet.
  func undecided(_ node: Node) -> Int { Int(undecided[Int(node)]) }

  /// The length of the longest secret that ends here; 0 if none does.
  package func match(_ node: Node) -> Int { Int(longest[Int(node)]) }
}
