public import JobWorker
public import MQTT

/// The topics that a worker publishes to, spelled once.
public struct Topics: Sendable {
  private let results: String
  private let base: String
  /// What comes where is taken as a request.
  private let jobs: TopicFilter?

  /// Topics beside the results topic: with `jobs/results`, events go to `jobs/events/<id>`. `jobs` is where requests come from,
  /// for those who hear them.
  public init(results: String, jobs: TopicFilter? = nil) {
    self.results = results
    self.jobs = jobs
    base = results.lastIndex(of: "/").map { String(results[...$0]) } ?? ""
  }

  /// Where the result of a job goes.
  public func result(of id: JobID) -> String { "\(results)/\(id)" }

  /// Where the answer to a request without a valid id goes.
  public var rejected: String { "\(base)rejected" }

  /// Where what happens to a job is told.
  public func events(of id: JobID) -> String { "\(base)events/\(id)" }

  /// Where a step's output goes while it runs, if its worker is asked to tell.
  public func log(of id: JobID, step: Int) -> String { "\(base)logs/\(id)/\(step)" }

  /// Where the output of all steps of a job goes.
  public func logs(of id: JobID) -> String { "\(base)logs/\(id)/+" }

  /// The step whose output comes on `topic`; `nil` for other topics.
  public func step(loggedOn topic: String, of id: JobID) -> Int? {
    let prefix = "\(base)logs/\(id)/"
    guard topic.hasPrefix(prefix), let step = Int(topic.dropFirst(prefix.count)), step >= 0 else { return nil }
    return step
  }

  /// Where one job is canceled.
  public func cancellation(of id: JobID) -> String { "\(base)cancel/\(id)" }

  /// Where anybody who may publish there cancels a job, whoever works on it.
  var cancel: String { "\(base)cancel/+" }

  /// Where one worker tells how it is.
  public static func status(of worker: WorkerID) -> String { "workers/\(worker)/status" }

  /// Where one worker takes commands.
  public static func commands(for worker: WorkerID) -> String { "workers/\(worker)/command" }

  /// Where every worker takes commands. No worker can be called `all`.
  public static let commandsForAll = "workers/all/command"

  /// Where one worker answers commands that name no other place.
  public static func answers(of worker: WorkerID) -> String { "workers/\(worker)/answers" }

  /// The job that a message on a topic of ``cancel`` means; `nil` for other topics, and for what is no id.
  func canceled(by topic: String) -> JobID? {
    guard topic.hasPrefix("\(base)cancel/") else { return nil }
    return try? JobID(String(topic.dropFirst(base.count + 7)))
  }

  /// Whether `topic` has a meaning of its own: what comes from there, under a filter like `jobs/#`, is no request.
  func areReserved(_ topic: String) -> Bool {
    topic == rejected
      || ["\(results)/", "\(base)events/", "\(base)logs/", "\(base)cancel/", "workers/"].contains {
        topic.hasPrefix($0)
      }
  }

  /// Whether workers, controllers or the broker itself act on what comes on `topic`: nobody may choose it for an answer.
  func areActedOn(_ topic: String) -> Bool {
    // A subscription to `jobs/results/#` gets what comes on `jobs/results`, too (MQTT 5, section 4.7.1.2).
    topic.hasPrefix("$") || areReserved(topic) || areReserved("\(topic)/") || jobs?.matches(topic) == true
  }

  /// Whether a message that comes to where requests come may be one. An empty message clears a retained one.
  func mayBeRequest(_ message: Message) -> Bool {
    !message.payload.isEmpty && !areReserved(message.topic) && !message.isOfWorker
  }

  /// Where a busy worker tells idle ones that it put a request down.
  public static let waiting = "workers/waiting"
}
