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
  /// Unknown keys with their paths.
  private(set) var unknownKeys: [String] = []

  /// Reads a text of at most `largest` bytes. Sentences about the whole text name it as `subject` (`job.json`), those
  /// about a value in it begin with `prefix` (`job.json: `).
  init(_ bytes: [UInt8], subject: String, prefix: String, largest: Int) throws(InvalidInput) {
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

  /// Keeps a key for the warning; a hundred are enough.
  mutating func noteUnknown(_ key: String, in place: @autoclosure () -> String = "") {
    if unknownKeys.count < 100 {
      unknownKeys.append(place() + key.escaped)
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
  private func isZero(_ value: JSONValue) -> Bool {
    switch value.content {
    case .string(let string): ["0", "0s"].contains(string)
    case .number(let end): Double(text.number(value, end: end)) == 0
    default: false
    }
  }

  func environment(_ value: JSONValue, _ key: @autoclosure () -> String) throws(InvalidInput) -> [String:
    String]
  {
    guard case .object(let members) = value.content else {
      throw invalid(
        "\(key()) is \(kind(of: value)); an object of strings is expected, like {\"MODE\": \"release\"}", at: value
      )
    }
    var environment: [String: String] = [:]
    environment.reserveCapacity(members.count)
    for member in members {
      let name = member.key
      if let fault = VariableLines.fault(ofName: name) {
        throw invalid(
          "\(key()): \(name.quoted) cannot name a variable: it \(fault); a name like \"MODE\" is expected",
          atOffset: member.keyOffset)
      }
      let content = try string(member.value, "\(key()): the value of \(name.quoted)", like: "\"1\"")
      if content.utf8.contains(0) {
        throw invalid("\(key()): the value of \(name.quoted) holds a NUL, which no variable can", at: member.value)
      }
      if let length = VariableLines.excess(of: name, content) {
        throw invalid(
          "\(key()): \(name.quoted) and its value are \(length) bytes; Linux takes \(VariableLines.longest)",
          at: member.value)
      }
      environment[name] = content
    }
    return environment
  }
}

// The steps of a request or a definition.
extension JobFields {
  /// The largest number of steps.
  static let mostSteps = 10_000

  /// The value of `"steps"`: 1 to 10,000 of them.
  mutating func steps(_ value: JSONValue) throws(InvalidInput) -> [Step] {
    guard case .array(let elements) = value.content else {
      throw invalid("\"steps\" is \(kind(of: value)); an array of commands is expected, like [\"make\"]", at: value)
    }
    guard !elements.isEmpty else {
      throw invalid("\"steps\" is empty; at least one step is expected, like [\"make\"]", at: value)
    }
    guard elements.count <= JobFields.mostSteps else {
      throw invalid("\"steps\" holds \(elements.count) steps; at most \(JobFields.mostSteps) are taken", at: value)
    }
    var steps: [Step] = []
    steps.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      steps.append(try step(element, index))
    }
    return steps
  }

  private mutating func step(_ value: JSONValue, _ index: Int) throws(InvalidInput) -> Step {
    switch value.content {
    case .string(let command):
      return Step(run: try self.command(command, value, index))
    case .object(let members):
      return try step(members, value, index)
    default:
      throw invalid("steps[\(index)] is \(kind(of: value)); \(whatAStepIs)", at: value)
    }
  }

  private mutating func step(_ members: [JSONMember], _ object: JSONValue, _ index: Int) throws(InvalidInput) -> Step {
    var step = Step(run: "")
    for member in members {
      let value = member.value
      switch member.key {
      case "run":
        let text = try string(value, "steps[\(index)]: \"run\"", like: "\"make\"")
        step.run = try command(text, value, index)
      case "name":
        step.name = try string(value, "steps[\(index)]: \"name\"", like: "\"build\"")
      case "shell":
        step.shell = try shell(value, index)
      case "env":
        step.environment = try environment(value, "steps[\(index)]: \"env\"")
      case "workingDirectory":
        step.workingDirectory = try workingDirectory(value, index)
      case "timeout":
        step.timeout = try duration(value, "steps[\(index)]: \"timeout\"")
      case "continueOnError":
        step.continueOnError = try flag(value, "steps[\(index)]: \"continueOnError\"")
      case "always":
        step.always = try flag(value, "steps[\(index)]: \"always\"")
      case "retries":
        step.retries = try count(value, "steps[\(index)]: \"retries\"", in: 0...10)
      case "retryDelay":
        step.retryDelay = isZero(value) ? nil : try duration(value, "steps[\(index)]: \"retryDelay\"")
      default:
        noteUnknown(member.key, in: "steps[\(index)].")
      }
    }
    // An empty command was refused above, so the key is missing.
    if step.run.isEmpty {
      throw invalid("steps[\(index)]: \"run\" is missing; \(whatAStepIs)", at: object)
    }
    return step
  }

  private func command(_ text: String, _ value: JSONValue, _ index: Int) throws(InvalidInput) -> String {
    let length = text.utf8.count
    if length == 0 {
      throw invalid("steps[\(index)]: the command is empty; write what the shell is to run, like \"make\"", at: value)
    }
    if length > Step.longestCommand {
      throw invalid(
        "steps[\(index)]: the command is \(length) bytes; at most \(Step.longestCommand) (1 MiB) are taken; "
          + "put it into a file of the job's folder",
        at: value)
    }
    if text.utf8.contains(0) {
      throw invalid("steps[\(index)]: the command holds a NUL, which no shell can be handed", at: value)
    }
    return text
  }

  private func shell(_ value: JSONValue, _ index: Int) throws(InvalidInput) -> [String] {
    let example = "[\"bash\", \"-c\"]"
    guard case .array(let elements) = value.content, !elements.isEmpty else {
      let fault = if case .array = value.content { "empty" } else { kind(of: value) }
      throw invalid(
        "steps[\(index)]: \"shell\" is \(fault); an array of strings is expected, like \(example)", at: value)
    }
    var words: [String] = []
    for (place, element) in elements.enumerated() {
      let word = try string(element, "steps[\(index)]: shell[\(place)]", like: "those in \(example)")
      if word.utf8.contains(0) {
        throw invalid("steps[\(index)]: shell[\(place)] holds a NUL, which no program can be handed", at: element)
      }
      if place == 0 && word.isEmpty {
        throw invalid("steps[\(index)]: shell[0] is empty; a program is expected, like that in \(example)", at: element)
      }
      words.append(word)
    }
    return words
  }

  private func workingDirectory(_ value: JSONValue, _ index: Int) throws(InvalidInput) -> String {
    let path = try string(value, "steps[\(index)]: \"workingDirectory\"", like: "\"src\"")
    let fault: String
    if path.isEmpty {
      fault = "is empty"
    } else if path.utf8.first == UInt8(ascii: "/") {
      fault = "begins with \"/\""
    } else if path.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }) {
      fault = "holds \"..\""
    } else if path.utf8.contains(0) {
      fault = "holds a NUL"
    } else {
      return path
    }
    throw invalid(
      "steps[\(index)]: \"workingDirectory\" \(path.quoted) \(fault); a path within the workspace is expected, like \"src\"",
      at: value)
  }

  private var whatAStepIs: String { "a step is a string or an object with \"run\"" }
}
