package import FileTree
package import Jobs

extension JobResult {
  /// About how many bytes a result takes, and rather more than fewer, with these steps and what they have changed.
  package static func likelySize(_ steps: [Step], _ changes: Changes? = nil) -> Int {
    var size = 16 << 10
    for step in steps { size += 600 + 2 * (step.run.utf8.count + (step.name?.utf8.count ?? 0)) }
    guard let changes else { return size }
    for entry in changes.changed { size += 400 + 3 * entry.path.bytes.count }
    for path in changes.deleted { size += 60 + 2 * path.bytes.count }
    for entry in changes.skipped { size += 200 + 2 * entry.path.bytes.count }
    return size
  }
}
