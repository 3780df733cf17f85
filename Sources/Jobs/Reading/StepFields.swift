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
      try noting { fields throws(InvalidInput) in steps.append(try fields.step(element, index)) }
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

  /// The keys of a step.
  private static let stepKeys = [
    "run", "name", "shell", "env", "workingDirectory", "timeout", "continueOnError", "always", "retries", "retryDelay",
  ]

  private mutating func step(_ members: [JSONMember], _ object: JSONValue, _ index: Int) throws(InvalidInput) -> Step {
    var step = Step(run: "")
    for member in members {
      try noting { fields throws(InvalidInput) in try fields.read(member, into: &step, index) }
    }
    // An empty command was refused above, so the key is missing.
    if step.run.isEmpty, !members.contains(where: { $0.key == "run" }) {
      throw invalid("steps[\(index)]: \"run\" is missing; \(whatAStepIs)", at: object)
    }
    return step
  }

  private mutating func read(_ member: JSONMember, into step: inout Step, _ index: Int) throws(InvalidInput) {
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
      noteUnknown(member, in: "steps[\(index)].", among: JobFields.stepKeys)
    }
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
      let length = word.utf8.count
      guard length < VariableLines.argumentLimit else {
        throw invalid(
          "steps[\(index)]: shell[\(place)] has \(length) bytes; Linux takes \(VariableLines.argumentLimit - 1)",
          at: element)
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
