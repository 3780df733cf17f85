import FileTree
package import Jobs
package import Logging
import Steps
import Volume

// What the worker accepts and the author of a job may not have meant.
extension JobPlan {
  /// A sentence for each unknown key of the request and of job.json.
  var warnings: [String] {
    request.unknownKeys.map { $0.warning(in: "request") }
      + definition.unknownKeys.map { $0.warning(in: JobsDirectory.definition) }
  }
}

extension JobRequest {
  /// Logs its unknown keys.
  package func warn(_ logger: Logger) {
    logger.warn(of: unknownKeys.map { $0.warning(in: "request") }, id)
  }
}

extension JobRun {
  /// Logs the unknown keys of job.json. Those of the request were logged when it arrived.
  func warnOfDefinition() {
    worker.logger.warn(
      of: plan.definition.unknownKeys.map { $0.warning(in: JobsDirectory.definition) }, job.claim.record.id)
  }

  /// Logs which secrets are too short to be masked.
  func warnOfShortSecrets() {
    let names = worker.settings.shortSecrets(of: plan.definition)
    guard !names.isEmpty else { return }
    worker.logger.warning(
      "not masked, because they have fewer than \(Redaction.shortest) characters: \(names.joined(separator: ", "))",
      metadata: ["job": "\(job.claim.record.id)"])
  }

  /// Warns of modes and times that a file system does not keep.
  func warn(of unkept: UnkeptAttributes?, in place: String) {
    guard let unkept else { return }
    worker.logger.warning(
      "\(unkept.count) modes or times of files are not kept in \(place), whose file system refuses them: \(unkept.cause)",
      metadata: ["job": "\(job.claim.record.id)"])
  }
}

extension Logger {
  private static let mostWarnings = 10

  /// A line for each sentence, and one for those that are too many.
  fileprivate func warn(of sentences: [String], _ id: JobID) {
    for sentence in sentences.prefix(Logger.mostWarnings) { warning("\(sentence)", metadata: ["job": "\(id)"]) }
    let more = sentences.count - Logger.mostWarnings
    if more > 0 { warning("and \(more) more unknown keys; result.json has them", metadata: ["job": "\(id)"]) }
  }
}
