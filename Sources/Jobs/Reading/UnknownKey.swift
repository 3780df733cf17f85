/// A key of a request or a job.json that means nothing there: a typing error, or one of another program.
package struct UnknownKey: Sendable, Equatable {
  /// Where it is (`foo`, `steps[2].foo`), escaped.
  package let path: String
  /// The key that was probably meant.
  package let meant: String?
  /// Its place in the text.
  let position: JSONPosition

  /// The key `name` below `place`, where `known` keys mean something.
  init(_ name: String, in place: String, among known: [String], at position: JSONPosition) {
    path = place + name.escaped
    let synonym = UnknownKey.synonyms[name.lowercased()]?.first(where: known.contains)
    meant =
      synonym ?? known.first { $0.lowercased() == name.lowercased() } ?? Spelling.nearest(to: name, among: known)
    self.position = position
  }

  /// A sentence for a warning; `text` names what has the key.
  package func warning(in text: String) -> String { "\(text): \(description)" }

  /// What other programs call the same.
  private static let synonyms = [
    "command": ["run"], "cmd": ["run"], "script": ["run", "steps"], "commands": ["steps"], "jobs": ["steps"],
    "environment": ["env"], "cwd": ["workingDirectory"], "workdir": ["workingDirectory"],
    "working-directory": ["workingDirectory"], "retry": ["retries"], "continue-on-error": ["continueOnError"],
    "allow_failure": ["continueOnError"], "timeout-minutes": ["timeout"],
  ]
}

extension UnknownKey: CustomStringConvertible {
  package var description: String {
    let question = meant.map { "; did you mean \($0.quoted)?" } ?? ""
    return "the key \(path) is unknown and has no effect\(question) (\(position))"
  }
}

extension [UnknownKey] {
  /// What to add to the refusal of a request with such keys: the first one that was probably meant otherwise.
  package var hint: String {
    first { $0.meant != nil }.map { "; the request's \($0.description.dropFirst("the ".count))" } ?? ""
  }
}
