/// Reads the values of a JSON text as the fields of a request or a definition, with a sentence for each wrong one.
///
/// A sentence begins with the place of the fault (`"timeout": …`, `steps[3]: …`), says what is expected, and ends with
/// the line and column.
struct JobFields {
  private let text: JSONText
  private let subject: String
  private let prefix: String
  /// The job, once its id has been read.
  var id: JobID?
  /// Unknown keys in the order of the text.
  private(set) var unknownKeys: [UnknownKey] = []
  /// The offset of the last of them.
  private var lastUnknown = 0
  /// The faults so far.
  private(set) var faults: [InvalidInput] = []
  /// After so many faults the reading ends.
  private let mostFaults: Int

  /// Reads a text of at most `largest` bytes. Sentences about the whole text name it as `subject` (`job.json`), those
  /// about a value in it begin with `prefix` (`job.json: `). The reading ends at the `mostFaults`-th fault.
  init(
    _ bytes: [UInt8], subject: String, prefix: String, largest: Int, mostFaults: Int = 1
  ) throws(InvalidInput) {
    self.mostFaults = mostFaults
    self.subject = subject
    self.prefix = prefix
    guard bytes.count <= largest else {
      let most = largest < 1 << 20 ? "\(largest >> 10) KiB" : "\(largest >> 20) MiB"
      throw InvalidInput(description: "\(subject) is \(bytes.count) bytes; at most \(largest) (\(most)) are taken")
    }
    do {
      text = try JSONText(bytes)
    } catch {
      let position = JSONPosition(of: error.offset, in: bytes)
      throw InvalidInput(description: "\(subject) \(error.predicate) (\(position))")
    }
  }

  /// A value for a sentence.
  func kind(of value: JSONValue) -> String {
    text.kind(of: value)
  }

  /// The members of the outermost object.
  func members(like example: String) throws(InvalidInput) -> [JSONMember] {
    guard case .object(let members) = text.root.content else {
      let position = JSONPosition(of: text.root.offset, in: text.bytes)
      throw InvalidInput(
        description: "\(subject) is \(kind(of: text.root)); an object is expected, like \(example) (\(position))")
    }
    return members
  }

  /// Refuses a text in which some object holds a key twice.
  func refuseDuplicates() throws(InvalidInput) {
    guard let duplicate = text.duplicate else { return }
    let first = JSONPosition(of: duplicate.first, in: text.bytes)
    let second = JSONPosition(of: duplicate.second, in: text.bytes)
    throw InvalidInput(
      id: id,
      description: "\(prefix)the key \(duplicate.key.quoted) is there twice, at \(first) and at \(second); keep one")
  }

  /// Keeps the key of `member` for the warning; a hundred are enough.
  mutating func noteUnknown(_ member: JSONMember, in place: @autoclosure () -> String = "", among known: [String]) {
    guard unknownKeys.count < 100 else { return }
    let offset = member.keyOffset
    let position =
      unknownKeys.last.map { $0.position.advanced(from: lastUnknown, to: offset, in: text.bytes) }
      ?? JSONPosition(of: offset, in: text.bytes)
    lastUnknown = offset
    unknownKeys.append(UnknownKey(member.key, in: place(), among: known, at: position))
  }

  /// Runs `body`. A fault in it is noted, and the reading goes on behind it, unless there are enough.
  mutating func noting(_ body: (inout JobFields) throws(InvalidInput) -> Void) throws(InvalidInput) {
    do {
      try body(&self)
    } catch {
      if faults.count < mostFaults { faults.append(error) }
      guard faults.count < mostFaults else { throw error }
    }
  }

  /// A refusal because of `value`.
  func invalid(_ sentence: String, at value: JSONValue) -> InvalidInput {
    invalid(sentence, atOffset: value.offset)
  }

  private func invalid(_ sentence: String, atOffset offset: Int) -> InvalidInput {
    InvalidInput(id: id, description: "\(prefix)\(sentence) (\(JSONPosition(of: offset, in: text.bytes)))")
  }

  /// A refusal because the outermost object lacks a key.
  func missing(_ sentence: String) -> InvalidInput {
    invalid(sentence, at: text.root)
  }
}

// The kinds of fields. `key` is the path of the value in the text.
extension JobFields {
  func string(_ value: JSONValue, _ key: @autoclosure () -> String, like example: String) throws(InvalidInput)
    -> String
  {
    guard case .string(let string) = value.content else {
      throw invalid("\(key()) is \(kind(of: value)); a string is expected, like \(example)", at: value)
    }
    return string
  }

  func flag(_ value: JSONValue, _ key: @autoclosure () -> String) throws(InvalidInput) -> Bool {
    guard case .bool(let flag) = value.content else {
      throw invalid("\(key()) is \(kind(of: value)); true or false is expected", at: value)
    }
    return flag
  }

  func count(_ value: JSONValue, _ key: @autoclosure () -> String, in range: ClosedRange<Int>)
    throws(InvalidInput) -> Int
  {
    if let count = number(value).flatMap({ Int(exactly: $0) }), range.contains(count) { return count }
    throw invalid(
      "\(key()) is \(kind(of: value)); a whole number from \(range.lowerBound) to \(range.upperBound) is expected",
      at: value)
  }

  /// A number; `nil` for a value of another kind.
  func number(_ value: JSONValue) -> Double? {
    if case .number(let end) = value.content { Double(text.number(value, end: end)) } else { nil }
  }

  func duration(_ value: JSONValue, _ key: @autoclosure () -> String) throws(InvalidInput) -> Duration {
    do throws(InvalidDuration) {
      switch value.content {
      case .string(let string):
        return try Duration(jobText: string)
      case .number(let end):
        let written = text.number(value, end: end)
        return try Duration(jobSeconds: Double(written) ?? .infinity, written: kind(of: value))
      default:
        throw InvalidDuration(
          description: "\(kind(of: value)) is not a duration; write a string like \"10m\", or a number of seconds")
      }
    } catch {
      throw invalid("\(key()): \(error)", at: value)
    }
  }

  /// Whether the value is a duration of 0, which only some keys may have.
  func isZero(_ value: JSONValue) -> Bool {
    switch value.content {
    case .string(let string): ["0", "0s"].contains(string)
    case .number(let end): Double(text.number(value, end: end)) == 0
    default: false
    }
  }

  mutating func environment(
    _ value: JSONValue, _ key: @autoclosure () -> String
  ) throws(InvalidInput) -> [String: String] {
    guard case .object(let members) = value.content else {
      throw invalid(
        "\(key()) is \(kind(of: value)); an object of strings is expected, like {\"MODE\": \"release\"}", at: value
      )
    }
    var environment: [String: String] = [:]
    environment.reserveCapacity(members.count)
    for member in members {
      try noting { fields throws(InvalidInput) in
        environment[member.key] = try fields.variable(member, "\(key()): ")
      }
    }
    return environment
  }

  /// The value of a variable. Sentences begin with `place`.
  private func variable(_ member: JSONMember, _ place: String) throws(InvalidInput) -> String {
    let name = member.key
    if let fault = VariableLines.fault(ofName: name) {
      throw invalid(
        "\(place)\(name.quoted) cannot name a variable: it \(fault); a name like \"MODE\" is expected",
        atOffset: member.keyOffset)
    }
    let content = try string(member.value, "\(place)the value of \(name.quoted)", like: "\"1\"")
    if content.utf8.contains(0) {
      throw invalid("\(place)the value of \(name.quoted) holds a NUL, which no variable can", at: member.value)
    }
    if let length = VariableLines.excess(of: name, content) {
      throw invalid(
        "\(place)\(name.quoted) and its value are \(length) bytes; Linux takes \(VariableLines.longest)",
        at: member.value)
    }
    return content
  }
}
