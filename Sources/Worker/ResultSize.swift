import FileTree
import Jobs

extension JobResult {
  /// An estimate of the bytes that a result takes with these steps and changes. It is rather too high than too low.
  static func likelySize(_ steps: [Step], _ changes: Changes? = nil) -> Int {
    var size = 16 << 10
    for step in steps { size += 800 + 2 * (step.run.utf8.count + (step.name?.utf8.count ?? 0)) }
    guard let changes else { return size }
    for entry in changes.changed { size += 400 + 3 * entry.path.bytes.count }
    for path in changes.deleted { size += 60 + 2 * path.bytes.count }
    for entry in changes.skipped { size += 200 + 2 * entry.path.bytes.count }
    return size
  }
}
