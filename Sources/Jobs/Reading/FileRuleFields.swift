import FileTree

// What of a definition decides about files.
extension JobFields {
  /// The most patterns in a list, and the most bytes of one and of all: each may be compared with each file of a job.
  private static let mostPatterns = 1000
  private static let longestPattern = 4096
  private static let longestPatterns = 64 << 10

  /// The value of `"stage"`: what is not staged.
  mutating func stageExclude(_ value: JSONValue) throws(InvalidInput) -> Patterns {
    var exclude = Patterns.none
    for member in try object(value, "\"stage\"", like: "{\"exclude\": [\"*.iso\"]}") {
      switch member.key {
      case "exclude": exclude = try patterns(member.value, "\"stage\": \"exclude\"")
      default: noteUnknown(member, in: "stage.", among: ["exclude"])
      }
    }
    return exclude
  }

  /// The value of `"artifacts"`.
  mutating func artifacts(_ value: JSONValue) throws(InvalidInput) -> ArtifactRules {
    var rules = ArtifactRules()
    for member in try object(value, "\"artifacts\"", like: "{\"include\": [\"dist/\"]}") {
      let place = "\"artifacts\": \(member.key.quoted)"
      try noting { fields throws(InvalidInput) in
        switch member.key {
        case "include": rules.include = try fields.patterns(member.value, place)
        case "exclude": rules.exclude = try fields.patterns(member.value, place)
        case "required": rules.required = try fields.required(member.value, place)
        default: fields.noteUnknown(member, in: "artifacts.", among: ["include", "exclude", "required"])
        }
      }
    }
    return rules
  }

  private mutating func required(_ value: JSONValue, _ place: String) throws(InvalidInput) -> [RequiredArtifact] {
    let texts = try strings(value, place, like: "[\"dist/app.js\"]", most: JobFields.mostPatterns)
    let patterns = try patterns(value, place).single
    for (index, text) in texts.enumerated() where text.hasPrefix("!") {
      try noting { fields throws(InvalidInput) in
        throw fields.invalid(
          "\(place): [\(index)]: \(text.quoted) is negated, and so requires nothing",
          at: fields.element(index, of: value))
      }
    }
    return zip(texts, patterns).map { RequiredArtifact(text: $0, pattern: $1) }
  }

  /// The value of `"cache"`.
  mutating func caches(_ value: JSONValue) throws(InvalidInput) -> [CacheRule] {
    let example = "[{\"key\": \"npm\", \"paths\": [\"node_modules\"]}]"
    guard case .array(let elements) = value.content, elements.count <= CacheRule.most else {
      throw invalid(
        "\"cache\" is \(kind(of: value)); an array of at most \(CacheRule.most) caches is expected, like \(example)",
        at: value)
    }
    var rules: [CacheRule] = []
    for (index, element) in elements.enumerated() {
      try noting { fields throws(InvalidInput) in
        let rule = try fields.cache(element, "cache[\(index)]")
        if rules.contains(where: { $0.key == rule.key }) {
          throw fields.invalid(
            "cache[\(index)]: the key \(rule.key.quoted) is there twice; give each cache its own", at: element)
        }
        for path in rule.paths {
          for other in rules.flatMap(\.paths) where fields.overlap(path, other) {
            throw fields.invalid(
              "cache[\(index)]: the paths \(path.quoted) and \(other.quoted) overlap", at: element)
          }
        }
        rules.append(rule)
      }
    }
    return rules
  }

  private mutating func cache(_ value: JSONValue, _ place: String) throws(InvalidInput) -> CacheRule {
    var rule = CacheRule(key: "", paths: [])
    for member in try object(value, place, like: "{\"key\": \"npm\", \"paths\": [\"node_modules\"]}") {
      switch member.key {
      case "key":
        rule.key = try string(member.value, "\(place): \"key\"", like: "\"npm\"")
        guard (1...256).contains(rule.key.utf8.count) else {
          throw invalid("\(place): \"key\" must have 1 to 256 bytes", at: member.value)
        }
      case "files": rule.files = try paths(member.value, "\(place): \"files\"", like: "[\"package-lock.json\"]")
      case "paths": rule.paths = try paths(member.value, "\(place): \"paths\"", like: "[\"node_modules\"]")
      default: noteUnknown(member, in: "\(place).", among: ["key", "files", "paths"])
      }
    }
    if rule.key.isEmpty { throw invalid("\(place): \"key\" is missing; it names the cache, like \"npm\"", at: value) }
    if rule.paths.isEmpty {
      throw invalid("\(place): \"paths\" is missing or empty; name what is kept, like [\"node_modules\"]", at: value)
    }
    for (index, path) in rule.paths.enumerated() {
      for other in rule.paths[..<index] where overlap(path, other) {
        throw invalid("\(place): the paths \(path.quoted) and \(other.quoted) overlap", at: value)
      }
    }
    return rule
  }

  private func overlap(_ one: String, _ other: String) -> Bool {
    "\(one)/".utf8.starts(with: "\(other)/".utf8) || "\(other)/".utf8.starts(with: "\(one)/".utf8)
  }

  // MARK: Lists

  private mutating func patterns(_ value: JSONValue, _ place: String) throws(InvalidInput) -> Patterns {
    let texts = try strings(value, place, like: "[\"*.o\", \"node_modules/\"]", most: JobFields.mostPatterns)
    if let long = texts.firstIndex(where: { $0.utf8.count > JobFields.longestPattern }) {
      throw invalid(
        "\(place): [\(long)]: the pattern has \(texts[long].utf8.count) bytes; at most \(JobFields.longestPattern) are taken",
        at: element(long, of: value))
    }
    guard texts.reduce(0, { $0 + $1.utf8.count }) <= JobFields.longestPatterns else {
      throw invalid(
        "\(place): the patterns have more than \(JobFields.longestPatterns) bytes (64 KiB) together", at: value)
    }
    for (index, text) in texts.enumerated() {
      try noting { fields throws(InvalidInput) in
        do throws(InvalidPattern) {
          _ = try Patterns([text])
        } catch {
          throw fields.invalid(
            "\(place): [\(index)]: \(error.text.quoted) \(error.fault)", at: fields.element(index, of: value))
        }
      }
    }
    // Each is valid by itself, or a fault is noted.
    return (try? Patterns(texts)) ?? .none
  }

  private func paths(_ value: JSONValue, _ place: String, like example: String) throws(InvalidInput) -> [String] {
    var paths: [String] = []
    for (index, text) in try strings(value, place, like: example, most: CacheRule.most).enumerated() {
      var fault: String?
      let components = text.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        .filter { $0 != "." }
      if text.utf8.first == UInt8(ascii: "/") || text.utf8.first == UInt8(ascii: "~") {
        fault = "is not in the workspace"
      } else if components.contains("..") {
        fault = "holds \"..\""
      } else if components.isEmpty {
        fault = "names nothing in the workspace"
      } else if text.utf8.contains(0) {
        fault = "holds a NUL"
      } else if text.utf8.contains(where: { "*?[\\".utf8.contains($0) }) {
        fault = "is a pattern, and only plain paths are taken here"
      }
      if let fault {
        throw invalid(
          "\(place): [\(index)]: \(text.quoted) \(fault); a path within the workspace is expected, like those in \(example)",
          at: element(index, of: value))
      }
      paths.append(components.joined(separator: "/"))
    }
    return paths
  }

  private func strings(
    _ value: JSONValue, _ place: String, like example: String, most: Int
  ) throws(InvalidInput) -> [String] {
    guard case .array(let elements) = value.content else {
      throw invalid("\(place) is \(kind(of: value)); an array of strings is expected, like \(example)", at: value)
    }
    guard elements.count <= most else {
      throw invalid("\(place) holds \(elements.count) strings; at most \(most) are taken", at: value)
    }
    var strings: [String] = []
    for (index, element) in elements.enumerated() {
      strings.append(try string(element, "\(place): [\(index)]", like: "those in \(example)"))
    }
    return strings
  }

  private func element(_ index: Int, of value: JSONValue) -> JSONValue {
    if case .array(let elements) = value.content { elements[index] } else { value }
  }

  private func object(_ value: JSONValue, _ place: String, like example: String) throws(InvalidInput) -> [JSONMember] {
    guard case .object(let members) = value.content else {
      throw invalid("\(place) is \(kind(of: value)); an object is expected, like \(example)", at: value)
    }
    return members
  }
}
