/// All topics of workers and their clients.
package struct Topics: Sendable {
  private let results: String
  private let base: String

  /// Topics beside the results topic: with `jobs/results`, events go to `jobs/events/<id>`.
  package init(results: String) {
    self.results = results
    base = results.lastIndex(of: "/").map { String(results[...$0]) } ?? ""
  }

  /// The topic for the result of a job.
  package func result(of id: JobID) -> String { "\(results)/\(id)" }

  /// The topic for the answer to a request without a valid id.
  package var rejected: String { "\(base)rejected" }

  /// The topic for the events of a job.
  package func events(of id: JobID) -> String { "\(base)events/\(id)" }

  /// The topic for a step's output, if its worker publishes logs.
  package func log(of id: JobID, step: Int) -> String { "\(base)logs/\(id)/\(step)" }

  /// The topic filter for the output of all steps of a job.
  package func logs(of id: JobID) -> String { "\(base)logs/\(id)/+" }

  /// The step whose output arrives on `topic`; `nil` for other topics.
  package func step(loggedOn topic: String, of id: JobID) -> Int? {
    let prefix = "\(base)logs/\(id)/"
    guard topic.hasPrefix(prefix), let step = Int(topic.dropFirst(prefix.count)), step >= 0 else { return nil }
    return step
  }

  /// The topic on which one job is canceled.
  package func cancellation(of id: JobID) -> String { "\(base)cancel/\(id)" }

  /// The topic filter for the cancellation of any job.
  package var cancel: String { "\(base)cancel/+" }

  /// The topic for the status of a worker.
  package static func status(of worker: WorkerID) -> String { "workers/\(worker)/status" }

  /// The topic for commands to one worker.
  package static func commands(for worker: WorkerID) -> String { "workers/\(worker)/command" }

  /// The topic for commands to all workers. No worker can be named `all`.
  package static let commandsForAll = "workers/all/command"

  /// The topic for a worker's answers to commands without a Response Topic.
  package static func answers(of worker: WorkerID) -> String { "workers/\(worker)/answers" }

  /// The job that a message on a topic of ``cancel`` names; `nil` for other topics and invalid ids.
  package func canceled(by topic: String) -> JobID? {
    guard topic.hasPrefix("\(base)cancel/") else { return nil }
    return try? JobID(String(topic.dropFirst(base.count + 7)))
  }

  /// Whether `topic` has another purpose: under a filter like `jobs/#`, messages on it are no requests.
  package func areReserved(_ topic: String) -> Bool {
    topic == rejected
      || ["\(results)/", "\(base)events/", "\(base)logs/", "\(base)cancel/", "workers/"].contains {
        topic.hasPrefix($0)
      }
  }

  /// The topic on which workers and clients tell idle workers that something waits on the volume. The payload is the topic
  /// filter of those that it is for, or empty for all.
  package static let waiting = "workers/waiting"
  /// How many messages there tell of one thing: the broker gives each to one idle worker of a kind, which may just have been
  /// killed, or have got a job.
  package static let waitingCopies = 3
}

/// The client ids of a worker's sessions, without the client id prefix.
///
/// No two workers share one: the control session of `w` is named `w-control`, so the intake session of a worker
/// `w-control` has a name that no worker can have. So have the sessions of a worker's further topic filters: no id has
/// a `~`.
package enum SessionName {
  private static let controlSuffix = "-control"
  private static let intakeSuffix = ":intake"

  /// The session that receives requests.
  package static func intake(of worker: WorkerID) -> String { intake(of: worker.text) }

  /// The session for everything else.
  package static func control(of worker: WorkerID) -> String { worker.text + controlSuffix }

  package static func intake(of worker: String) -> String {
    worker.hasSuffix(controlSuffix) ? worker + intakeSuffix : worker
  }

  /// The session that receives the requests of one topic filter: the first has no mark.
  package static func intake(of worker: String, _ mark: String?) -> String {
    mark == nil ? intake(of: worker) : marked(worker, mark)
  }

  /// The mark of a further topic filter. It follows from the filter alone, so a filter keeps its session when a worker
  /// gets its filters in another order.
  package static func mark(of filter: String) -> String {
    String(digestText(of: Array(filter.utf8)).dropFirst("sha256:".utf8.count).prefix(8))
  }

  /// A worker's id with the mark of a further topic filter, if there is one.
  package static func marked(_ worker: String, _ mark: String?) -> String { mark.map { "\(worker)~\($0)" } ?? worker }

  /// The worker whose control session has the name that the intake session of `worker` had before version 0.2; `nil` if
  /// there is none.
  package static func namesake(of worker: String) -> String? {
    worker.hasSuffix(controlSuffix) ? String(worker.dropLast(controlSuffix.count)) : nil
  }
}
