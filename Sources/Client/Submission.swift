package import Jobs
package import MQTT
package import Volume

/// One request on its way, from its first publication to its result.
///
/// What is told comes from two sides: from the broker, and from the volume if there is one in common with the workers. Each
/// is enough by itself, so that neither a restart of the broker nor a worker that died loses the end.
package actor Submission {
  /// How the workers' volume is reached from here.
  package enum Volume: Sendable {
    /// It is this folder.
    case common(JobsDirectory)
    /// It is not; logs come over the broker, from workers that publish them.
    case elsewhere
  }

  private let request: OutgoingRequest
  private let topics: Topics
  private let client: BrokerClient
  private let sender: RequestSender
  private var directory: JobsDirectory?
  private let inbox: Inbox
  private var watch: VolumeWatch?
  private var follower: LogFollower?
  private var sending: Task<Void, Never>?
  private var lastPlace: RequestSender.Place?
  /// The attempt that is under way, from 1.
  private var attempt = 0
  /// How much of each step's log has come over the broker.
  private var received: [Int: Int64] = [:]
  private var ending: Ending?
  private var isOver = false
  /// Whether a worker has the job, or had it.
  package var isTaken: Bool { attempt > 0 || ending != nil || isOver }
  /// Whether the broker, or somebody after it, may have the request.
  package private(set) var mayBeTaken = false

  /// The result is known from one side, and the other is given a moment: the volume may show late what is to be read there,
  /// and what the broker brings has the end of the log in it.
  private struct Ending {
    enum Side { case broker, volume }

    var result: ResultMessage
    var known: Set<Side>
    let patience = ContinuousClock.now + .seconds(3)
  }

  /// A request to be sent to `topic`. Make it before anything of the run can be on the volume.
  package init(
    _ request: OutgoingRequest, topic: String, topics: Topics, over client: BrokerClient, version: ProtocolVersion,
    volume: Volume
  ) {
    let inbox = Inbox()
    self.request = request
    self.topics = topics
    self.client = client
    self.inbox = inbox
    sender = RequestSender(client: client, message: request.message(on: topic), version: version) { place in
      inbox.put(.place(place))
    }
    if case .common(let directory) = volume {
      self.directory = directory
      watch = VolumeWatch(request, in: directory)
      follower = LogFollower(nextRunOf: request.id, in: directory)
    }
  }

  /// Listens for answers, and then begins to send. Throws ``MQTTError`` when the broker does not allow that.
  package func open() async throws {
    let messages = try await client.messages(
      on: try TopicFilter(topics.result(of: request.id)), try TopicFilter(topics.events(of: request.id)),
      try TopicFilter(topics.logs(of: request.id)))
    Task { [inbox] in
      do {
        for try await message in messages { inbox.put(.message(message)) }
      } catch {
        inbox.put(.failed(error))
      }
    }
    sending = Task { [sender, inbox] in
      do { try await sender.run() } catch { inbox.put(.failed(error)) }
    }
  }

  /// What happened next; `nil` after the end. Waits for it.
  ///
  /// Throws ``JobIsBusy``, ``VolumeError`` when the volume cannot be read, and ``MQTTError`` when there is no way to the
  /// broker and none to the result either.
  package func next() async throws -> SubmissionEvent? {
    while true {
      if let item = inbox.take() {
        if let news = try news(of: item) { return news }
        continue
      }
      if let piece = try follower?.next() { return .output(step: piece.step, bytes: piece.bytes) }
      if let news = try watch?.look() {
        if let told = note(news, from: .volume) { return told }
        continue
      }
      if let result = takeEnd() { return .finished(result) }
      if isOver { return nil }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Asks for the end of the job, of whichever worker has it; returns whether the broker passed that on to anybody.
  @discardableResult
  package func cancel() async throws -> ReasonCode {
    try await client.publish(Message(topic: topics.cancellation(of: request.id), payload: []))
  }

  /// What becomes of a job that its sender does not want any more.
  package enum Withdrawal: Sendable {
    /// No worker will run it.
    case withdrawn
    /// Its worker is asked to end it; the result tells.
    case canceled
    /// The broker has the request, and it cannot be taken back: a worker will run it.
    case queued
  }

  /// Takes the job back as far as it still can be: `upload` is what was put on the volume for it. Throws ``MQTTError`` and
  /// ``VolumeError``.
  package func withdraw(_ upload: JobUpload?) async throws -> Withdrawal {
    close()
    if attempt == 0, let directory, try await reject(in: directory) {
      _ = try await onThread { try upload?.withdraw() }
      return .withdrawn
    }
    if attempt == 0, let upload {
      if try await onThread({ try upload.withdraw() }) { return .withdrawn }
    } else if !mayBeTaken {
      return .withdrawn
    } else if attempt == 0 {
      return .queued
    }
    try await cancel()
    return .canceled
  }

  /// Decides about the request itself, if it waits for somebody's approval.
  private func reject(in directory: JobsDirectory) async throws -> Bool {
    try await onThread { [key = request.requestID] in
      let desk = ApprovalStore(directory)
      guard let parked = try desk.parked().first(where: { $0.envelope.requestId == key }) else { return false }
      return try desk.decide(
        Approval(.rejected, by: "its sender", reason: "withdrawn", requestDigest: parked.envelope.digest), on: parked)
    }
  }

  /// Sends the request no more. What the broker has of it, it keeps.
  package func close() {
    sending?.cancel()
    sending = nil
  }

  // MARK: What comes in

  private func news(of item: Inbox.Item) throws -> SubmissionEvent? {
    switch item {
    case .place(let place): return note(place)
    case .message(let message): return try news(of: message)
    case .failed(let error):
      // With a volume the end can be learned without the broker; what is not sent yet never will be.
      guard watch != nil, attempt > 0 else { throw error }
      return nil
    }
  }

  private func note(_ place: RequestSender.Place) -> SubmissionEvent? {
    if place == .queued { mayBeTaken = true }
    guard attempt == 0, place != lastPlace else { return nil }
    lastPlace = place
    switch place {
    case .nowhere: return .nobodyListens
    case .queued: return .queued
    case .refused(let code): return .refusedForNow(code)
    }
  }

  private func news(of message: Message) throws -> SubmissionEvent? {
    if message.topic == topics.result(of: request.id) {
      guard let result = ResultMessage(payload: message.payload),
        isMine(result.requestId, message, isRefusal: result.status == .rejected)
      else { return nil }
      return note(.result(result), from: .broker)
    }
    if let step = topics.step(loggedOn: message.topic, of: request.id) {
      return follower == nil ? output(of: step, message) : nil
    }
    guard let event = JobEvent(payload: message.payload),
      isMine(event.requestId, message, isRefusal: event.event == .rejected)
    else { return nil }
    if event.event == .duplicate {
      // Once the job is taken this is about the request being sent again.
      guard attempt > 0 else { throw JobIsBusy(id: request.id) }
      return nil
    }
    if event.event != .rejected, let number = event.attempt,
      let news = note(.claim(worker: event.workerId, attempt: number), from: .broker)
    {
      if event.event != .accepted { inbox.putBack(.message(message)) }
      return news
    }
    // It lies on the volume, and need not be sent again for anybody to find it.
    if event.event == .awaitingApproval, watch != nil { close() }
    return event.event == .accepted ? nil : .event(event)
  }

  /// Other requests for the same job have answers, too, and anybody may write there: only what bears this request's key is
  /// its answer, in the payload or as Correlation Data.
  ///
  /// MQTT 3.1.1 has no Correlation Data. There a worker that cannot read a request, as one that it cannot verify, refuses it
  /// without a key; such a refusal counts as long as no worker has the job.
  private func isMine(_ key: String?, _ message: Message, isRefusal: Bool) -> Bool {
    if let key { return key == request.requestID.text }
    if let data = message.properties.correlationData { return data == Array(request.requestID.text.utf8) }
    return isRefusal && sender.version == .v311 && attempt == 0
  }

  private func note(_ news: VolumeWatch.News, from side: Ending.Side) -> SubmissionEvent? {
    mayBeTaken = true
    switch news {
    case .claim(let worker, let number):
      guard number > attempt else { return nil }
      attempt = number
      received = [:]
      // Without a volume the request goes out again after each loss of the connection: it is answered with the result.
      if watch != nil { close() }
      return .taken(worker: worker, attempt: number)
    case .result(let result):
      close()
      var ending = ending ?? Ending(result: result, known: [])
      if side == .broker { ending.result = result }
      ending.known.insert(side)
      self.ending = ending
      return nil
    }
  }

  // MARK: Logs over the broker

  private func output(of step: Int, _ message: Message) -> SubmissionEvent? {
    let properties = message.properties.userProperties
    if let key = properties.first(where: { $0.name == "requestId" })?.value, key != request.requestID.text {
      return nil
    }
    let expected = received[step] ?? 0
    // Without properties (MQTT 3.1.1) there is nothing to go by.
    let stated = properties.first { $0.name == "offset" }?.value
    // A place that no log has is not stated by a worker.
    guard let offset = stated.map({ Int64($0) }) ?? expected, offset >= 0 else { return nil }
    let (end, isBeyond) = offset.addingReportingOverflow(Int64(message.payload.count))
    guard !isBeyond else { return nil }
    if offset > expected {
      received[step] = offset
      inbox.putBack(.message(message))
      return .missing(step: step, bytes: offset - expected)
    }
    guard end > expected else { return nil }
    received[step] = end
    // Less than the payload has, for its end is behind what is expected.
    return .output(step: step, bytes: Array(message.payload.dropFirst(Int(expected - offset))))
  }

  // MARK: The end

  /// The result, once all that belongs to it has come.
  private func takeEnd() -> ResultMessage? {
    guard let ending else { return nil }
    let hasFile = ending.result.manifestFile != nil
    let isWhole = watch == nil || !hasFile || ending.known.count == 2
    guard isWhole || ending.patience <= .now else { return nil }
    self.ending = nil
    isOver = true
    return ending.result
  }
}
