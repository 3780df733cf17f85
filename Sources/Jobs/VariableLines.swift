/// The variables that a step writes to the file that `JOB_ENV` or `JOB_OUTPUT` names.
///
/// A line is `NAME=value`, or `NAME<<END`, and then the value's lines up to a line that is `END`. Empty lines between
/// them do not count, and of two variables of one name the later one does. Bytes that are not UTF-8 become U+FFFD.
package struct VariableLines: Sendable, Equatable {
  /// The largest file, and the most of all variables of a job together: 1 MiB.
  package static let largest = 1 << 20
  /// The most bytes of a name and its value: execve(2) passes them on with a "=" and a NUL.
  static let longest = argumentLimit - 2
  /// MAX_ARG_STRLEN of Linux: 32 pages of 4 KiB, with the terminating NUL.
  package static let argumentLimit = 32 * 4096

  /// The values by name.
  package private(set) var values: [String: String] = [:]
  /// The values that a later line of the same name replaced.
  package private(set) var replaced: [String: Set<String>] = [:]

  /// Reads the content of such a file. Throws ``VariableFault`` at the first line that is malformed, or holds a variable
  /// that `isOwn` says is the worker's.
  package init(_ bytes: [UInt8], isOwn: (String) -> Bool = { _ in false }) throws(VariableFault) {
    guard bytes.count <= Self.largest else {
      throw VariableFault("it is \(bytes.count) bytes; at most \(Self.largest) (1 MiB) are read")
    }
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var next = 0
    while next < lines.count {
      let line = lines[next]
      next += 1
      guard !line.isEmpty else { continue }
      let number = next
      let (name, rest) = try Self.parts(of: line, number)
      guard !isOwn(name) else { throw VariableFault(number, "\(name.quoted) is the worker's; take another name") }
      var value = rest.value
      if let mark = rest.mark {
        guard let end = lines[next...].firstIndex(where: { $0.elementsEqual(mark) }) else {
          throw VariableFault(
            number, "the value of \(name.quoted) has no end: the word behind \"<<\" must stand alone on a later line")
        }
        value = Array(lines[next..<end].joined(separator: [UInt8(ascii: "\n")]))[...]
        next = end + 1
      }
      guard !value.contains(0) else {
        throw VariableFault(number, "the value of \(name.quoted) holds a NUL, which no variable can")
      }
      let text = String(decoding: value, as: UTF8.self)
      if let length = Self.excess(of: name, text) {
        throw VariableFault(
          number, "a variable and its value are \(length) bytes; Linux takes \(Self.longest)")
      }
      if let earlier = values.updateValue(text, forKey: name) { replaced[name, default: []].insert(earlier) }
    }
  }

  private typealias Line = ArraySlice<UInt8>

  /// The name in a line, and its value or the word that ends its lines.
  private static func parts(of line: Line, _ number: Int) throws(VariableFault) -> (String, (value: Line, mark: Line?))
  {
    let sign = line.firstIndex(of: UInt8(ascii: "=")) ?? line.endIndex
    let arrows = line[..<sign].firstRange(of: Array("<<".utf8))
    guard sign < line.endIndex || arrows != nil else { throw VariableFault(number, "it has no \"=\"") }
    let name = String(decoding: line[..<(arrows?.lowerBound ?? sign)], as: UTF8.self)
    // No part of the name is quoted: it may be anything, such as a secret.
    if let fault = fault(ofName: name) { throw VariableFault(number, "its name \(fault)") }
    // JSON can name such a variable, but no shell can.
    if name.utf8.contains(where: { $0 <= 0x20 }) { throw VariableFault(number, "its name holds a blank") }
    guard let arrows else { return (name, (line[(sign + 1)...], nil)) }
    let mark = line[arrows.upperBound...]
    guard !mark.isEmpty else { throw VariableFault(number, "there is no word behind \"<<\"") }
    return (name, ([], mark))
  }
}

// The rules for each variable, wherever it is set.
extension VariableLines {
  /// What makes `name` no name of a variable, as the end of a sentence; `nil` if nothing does.
  package static func fault(ofName name: String) -> String? {
    if name.isEmpty { return "is empty" }
    if name.utf8.contains(UInt8(ascii: "=")) { return "holds a \"=\"" }
    if let first = name.utf8.first, (0x30...0x39).contains(first) { return "begins with a digit" }
    return name.utf8.contains(0) ? "holds a NUL" : nil
  }

  /// The bytes of a name and its value, if they are more than ``longest``.
  static func excess(of name: String, _ value: String) -> Int? {
    let length = name.utf8.count + value.utf8.count
    return length > longest ? length : nil
  }
}

/// What is wrong with variables that a step wrote.
package struct VariableFault: Error, Equatable, CustomStringConvertible {
  /// The line, from 1; `nil` if it is the whole file.
  package let line: Int?
  /// A sentence that begins with what is wrong. It holds no value.
  package let description: String

  package init(_ line: Int? = nil, _ description: String) {
    self.line = line
    self.description = description
  }

  package init(_ description: String) { self.init(nil, description) }

  /// The sentence with the file, its line and the right form, for the step's log.
  package func sentence(about file: String) -> String {
    let place = line.map { "\(file), line \($0)" } ?? file
    return "\(place): \(description). Write lines NAME=value, or NAME<<END, the value's lines, and END"
  }
}
