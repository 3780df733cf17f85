/// The name of a worker: a client id, a path component and a topic level at once.
package struct WorkerID: Hashable, Sendable, CustomStringConvertible {
  /// The name.
  package let text: String

  /// Takes a name that follows the rule of job ids; `%h` in it becomes the host name. `nil` if it does not.
  package init?(_ text: String, host: String) {
    // Most have none, and are spared the search for a text in a text.
    let isPlain = !text.utf8.contains(UInt8(ascii: "%"))
    let name = isPlain ? text : text.split(separator: "%h", omittingEmptySubsequences: false).joined(separator: host)
    guard (try? JobID(name)) != nil else { return nil }
    self.text = name
  }

  /// The name.
  package var description: String { text }
}
