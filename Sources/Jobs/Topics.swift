/// The topics that a worker publishes to, spelled once.
package struct Topics: Sendable {
  private let results: String
  private let base: String

  /// Topics beside the results topic: with `jobs/results`, events go to `jobs/events/<id>`.
  package init(results: String) {
    self.results = results
    base = results.lastIndex(of: "/").map { String(results[...$0]) } ?? ""
  }

  /// Where the result of a job goes.
  package func result(of id: JobID) -> String { "\(results)/\(id)" }

  /// Where the answer to a request without a valid id goes.
  package var rejected: String { "\(base)rejected" }

  /// Where what happens to a job is told.
  package func events(of id: JobID) -> String { "\(base)events/\(id)" }

  /// Where a step's output goes while it runs, if its worker is asked to tell.
  package func log(of id: JobID, step: Int) -> String { "\(base)logs/\(id)/\(step)" }

  /// Where the output of all steps of a job goes.
  package func logs(of id: JobID) -> String { "\(base)logs/\(id)/+" }

  /// The step whose output comes on `topic`; `nil` for other topics.
  package func step(loggedOn topic: String, of id: JobID) -> Int? {
    let prefix = "\(base)logs/\(id)/"
    guard topic.hasPrefix(prefix), let step = Int(topic.dropFirst(prefix.count)), step >= 0 else { return nil }
    return step
  }

  /// Where one job is canceled.
  package func cancellation(of id: JobID) -> String { "\(base)cancel/\(id)" }

  /// Where anybody who may publish there cancels a job, whoever works on it.
  package var cancel: String { "\(base)cancel/+" }

  /// Where one worker tells how it is.
  package static func status(of worker: WorkerID) -> String { "workers/\(worker)/status" }

  /// Where one worker takes commands.
  package static func commands(for worker: WorkerID) -> String { "workers/\(worker)/command" }

  /// Where every worker takes commands. No worker can be called `all`.
  package static let commandsForAll = "workers/all/command"

  /// Where one worker answers commands that name no other place.
  package static func answers(of worker: WorkerID) -> String { "workers/\(worker)/answers" }

  /// The job that a message on a topic of ``cancel`` means; `nil` for other topics, and for what is no id.
  package func canceled(by topic: String) -> JobID? {
    guard topic.hasPrefix("\(base)cancel/") else { return nil }
    return try? JobID(String(topic.dropFirst(base.count + 7)))
  }

  /// Whether `topic` has a meaning of its own: what comes from there, under a filter like `jobs/#`, is no request.
  package func areReserved(_ topic: String) -> Bool {
    topic == rejected
      || ["\(results)/", "\(base)events/", "\(base)logs/", "\(base)cancel/", "workers/"].contains {
        topic.hasPrefix($0)
      }
  }

  /// Where a busy worker tells idle ones that it put a request down.
  package static let waiting = "workers/waiting"
}
