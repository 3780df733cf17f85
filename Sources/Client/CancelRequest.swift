package import Jobs
import MQTT
private import Synchronization
package import Volume

/// Asks the worker of a job to end it.
///
/// The worker is found on the volume, if this host has it, and otherwise by the workers' statuses. There it also
/// leaves a ``CancelMark``: if the job's worker is dead, the next one finds the mark, and answers the job as canceled. Without a volume a job that no
/// worker has taken cannot be canceled.
package struct CancelRequest: Sendable {
  /// The outcome.
  package enum Outcome: Sendable {
    /// No worker has the job; the volume's record of it.
    case notRunning(JobSummary?)
    /// No worker has it yet: the one that takes it answers it as canceled.
    case marked(JobState)
    /// No worker received the request: the job's worker is gone. With `isMarked` the next one answers the job as canceled.
    case notReceived(worker: String, isMarked: Bool)
    /// The job's worker has received the request.
    case asked(worker: String)
    /// The job has ended, perhaps by itself before its worker received the request.
    case ended(ResultMessage)
  }

  /// Whether to wait for the job's end.
  package enum Waiting: Sendable {
    case none, untilEnd
  }

  /// Which request of the job ends.
  package enum Aim: Sendable {
    /// The one that runs or waits. A finished job has none that a volume knows of.
    case current
    /// Of a finished job the next one that a worker takes: the broker may have it.
    case next
  }

  private let id: JobID
  private let client: BrokerClient
  private let topics: Topics
  private let directory: JobsDirectory?
  private let user: String

  /// A request of `user` to end `id`; `directory` is the volume, if this host has it.
  package init(
    _ id: JobID, by user: String, over client: BrokerClient, topics: Topics, volume directory: JobsDirectory?
  ) {
    self.id = id
    self.user = user
    self.client = client
    self.topics = topics
    self.directory = directory
  }

  /// Sends the request. Throws ``MQTTError`` and ``VolumeError``.
  package func send(_ waiting: Waiting, aim: Aim = .current) async throws -> Outcome {
    // Subscribe before looking for the worker: the end may come meanwhile.
    let messages = try await client.messages(
      on: try TopicFilter(topics.result(of: id)), try TopicFilter(topics.events(of: id)))
    // Before the look for its worker: the job may end between the two.
    let before = directory.flatMap { JobRecords($0).result(of: id)?.timing }
    guard let (worker, request) = try await holder() else {
      let job = try directory.flatMap { try JobListing($0).job(id) }
      let open: [JobState] = aim == .next ? [.pending, .queued, .finished] : [.pending, .queued]
      guard let job, let directory, open.contains(job.state) else { return .notRunning(job) }
      let records = JobRecords(directory)
      // The volume may have its requests; otherwise it is the next one that a worker takes.
      let keys = try records.waitingKeys(of: id)
      var marks: [CancelMark] = []
      for key in keys.isEmpty ? [nil] : keys.map(Optional.some) {
        marks += try CancelMark.put(id, of: key, by: user, in: directory)
      }
      func isMeant(_ request: String?) -> Bool { keys.isEmpty || request.map(keys.contains) == true }
      func takeBack(_ request: String?) throws {
        for mark in marks where mark.requestId == nil || mark.requestId == request {
          try mark.remove(from: directory)
        }
      }
      // A worker may have claimed the job before the mark was there, and may have ended it by now.
      if let (worker, request) = try await holder(), isMeant(request) {
        try takeBack(request)
        return try await ask(worker, request, waiting, messages)
      }
      if let result = records.result(of: id), result.timing != before, isMeant(result.requestId) {
        try takeBack(result.requestId)
        return .notRunning(try JobListing(directory).job(id))
      }
      return waiting == .untilEnd ? .ended(try await end(marks.first?.requestId, messages)) : .marked(job.state)
    }
    return try await ask(worker, request, waiting, messages)
  }

  private func ask(
    _ worker: String, _ request: String?, _ waiting: Waiting, _ messages: AsyncThrowingStream<Message, any Error>
  ) async throws -> Outcome {
    let isMarked = mark(request)
    let code = try await client.publish(Message(topic: topics.cancellation(of: id), payload: []))
    guard code != .noMatchingSubscribers else { return .notReceived(worker: worker, isMarked: isMarked) }
    guard waiting == .untilEnd else { return .asked(worker: worker) }
    return .ended(try await end(request, messages))
  }

  /// Marks the request of a job that a worker has, for the one that takes it over. Does nothing where this client may not
  /// write, and for a job that has ended by now.
  private func mark(_ request: String?) -> Bool {
    guard let directory, let request, let marks = try? CancelMark.put(id, of: request, by: user, in: directory) else {
      return false
    }
    guard JobRecords(directory).result(of: id)?.requestId == request else { return true }
    for mark in marks { try? mark.remove(from: directory) }
    return false
  }

  /// The worker of the job, and the key of its request if known. Nobody takes over a dry run, which has no mark.
  private func holder() async throws -> (worker: String, request: String?)? {
    if let directory {
      return try JobRecords(directory).claims(of: id).last.map {
        ($0.worker, $0.filter == nil ? nil : $0.envelope.requestId.text)
      }
    }
    let roster = try await RollCall(client, patience: .seconds(2)).take()
    let entry = roster.entries.values.first { $0.status.job == id.text && $0.status.state != .offline }
    return entry.map { ($0.status.workerId, nil) }
  }

  private struct Answers {
    /// The key of the running request; at the latest the event of its end has it.
    var key: String?
    var results: [ResultMessage] = []
    var failure: (any Error)?

    var result: ResultMessage? { key.flatMap { key in results.last { $0.requestId == key } } }
  }

  /// Waits for the result of this run; the broker may also have one of an earlier run.
  private func end(_ key: String?, _ messages: AsyncThrowingStream<Message, any Error>) async throws -> ResultMessage {
    let answers = Mutex(Answers(key: key))
    let listening = Task { [id, topics] in
      do {
        for try await message in messages {
          answers.withLock { answers in
            if message.topic == topics.result(of: id) {
              if let result = ResultMessage(payload: message.payload) { answers.results.append(result) }
            } else if let event = JobEvent(payload: message.payload),
              [.completed, .rejected].contains(event.event)
            {
              answers.key = answers.key ?? event.requestId
            }
          }
        }
      } catch {
        answers.withLock { $0.failure = error }
      }
    }
    defer { listening.cancel() }
    while true {
      if let result = answers.withLock({ $0.result }) { return result }
      if let directory, key != nil, let result = JobRecords(directory).result(of: id), result.requestId == key {
        return ResultMessage(result: result, tail: nil)
      }
      if let error = answers.withLock({ $0.failure }) { throw error }
      try await Task.sleep(for: .milliseconds(100))
    }
  }
}

extension CancelRequest.Outcome {
  /// Whether the job will end, or has ended, perhaps by itself.
  package var isReceived: Bool {
    switch self {
    case .notRunning, .notReceived: false
    case .marked, .asked, .ended: true
    }
  }

  /// A sentence for the user about job `id`.
  package func sentence(about id: JobID) -> String {
    switch self {
    case .notRunning(let job): return "no worker has job \(id)\(job.map { "; it is \($0.state.rawValue)" } ?? "")"
    case .marked(.finished):
      return
        "job \(id) is finished: the worker that takes the next request for it answers that as canceled, without a step"
    case .marked(let state):
      return "job \(id) is \(state.rawValue): the worker that takes it answers it as canceled, without a step"
    case .notReceived(let worker, let isMarked):
      let next = isMarked ? "answers the job as canceled" : "takes over the job"
      return
        "worker \(worker) has job \(id) and did not receive the request: it may be dead; then the next worker \(next)"
    case .asked(let worker): return "asked worker \(worker) to end job \(id)"
    case .ended(let result): return "job \(id): \(result.status.rawValue)"
    }
  }
}
