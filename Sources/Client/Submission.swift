package import Jobs
package import MQTT
package import Volume

/// A request from its first publication to its result.
///
/// Events come from the broker, and from the volume if this host has it. Each side is enough by itself, so that neither
/// a restart of the broker nor a dead worker loses the result.
package actor Submission {
  /// The access to the workers' volume.
  package enum Volume: Sendable {
    /// The volume is this folder.
    case common(JobsDirectory)
    /// No access: logs come over the broker, from workers that publish them.
    case elsewhere
  }

  let request: OutgoingRequest
  let topics: Topics
  let client: BrokerClient
  private let sender: RequestSender
  /// The volume, if this host has it.
  let directory: JobsDirectory?
  private let inbox: SubmissionInbox
  private var watch: VolumeWatch?
  private var follower: LogFollower?
  private var sending: Task<Void, Never>?
  private var lastPlace: RequestSender.Place?
  /// The current attempt, from 1.
  private(set) var attempt = 0
  /// The bytes of each step's log that have come over the broker.
  private var received: [Int: Int64] = [:]
  private var ending: Ending?
  private var isOver = false
  /// Whether a worker has or had the job.
  package var isTaken: Bool { attempt > 0 || ending != nil || isOver }
  /// Whether the broker or a worker may have the request.
  package var mayBeTaken: Bool { isKnown || sender.whereabouts.mayBeWithBroker }
  /// Whether the last try to read the volume failed: then output may be missing.
  package private(set) var isVolumeAway = false
  /// Why logs of the run are incomplete, if this host has the volume and its result was there.
  package var logErrors: [String] { watch?.logErrors ?? [] }
  /// A worker has shown that it knows the request.
  private var isKnown = false

  /// The result from one side, while the other side gets a moment: the volume may show it late, and the broker's
  /// message has the end of the log.
  private struct Ending {
    enum Side { case broker, volume }

    var result: ResultMessage
    var known: Set<Side>
    let patience = ContinuousClock.now + .seconds(3)
  }

  /// A request to be sent to `topic`. Create it before the run can write to the volume.
  package init(
    _ request: OutgoingRequest, topic: String, topics: Topics, over client: BrokerClient, version: ProtocolVersion,
    volume: Volume
  ) {
    let inbox = SubmissionInbox()
    self.request = request
    self.topics = topics
    self.client = client
    self.inbox = inbox
    sender = RequestSender(client: client, message: request.message(on: topic), version: version) { place in
      inbox.put(.place(place))
    }
    directory = if case .common(let directory) = volume { directory } else { nil }
    if let directory {
      watch = VolumeWatch(request, in: directory)
      follower = LogFollower(nextRunOf: request.id, in: directory)
    }
  }

  /// Subscribes to the answers, then starts to send. Throws ``MQTTError`` if the broker refuses.
  package func open() async throws {
    await exemptFromEarlierCancellation()
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

  /// Waits for the next event; `nil` after the end.
  ///
  /// Throws ``JobIsBusy``, and ``MQTTError`` if the connection fails and the volume cannot bring the result.
  package func next() async throws -> SubmissionEvent? {
    while true {
      if let item = inbox.take() {
        if let news = try news(of: item) { return news }
        continue
      }
      if let event = readVolume() { return event }
      if let result = takeEnd() { return .finished(result) }
      if isOver { return nil }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Stops sending the request. The broker keeps what it has.
  package func close() {
    sending?.cancel()
    sending = nil
  }

  /// The next event on the volume. The broker tells of the job while the volume cannot be read.
  private func readVolume() -> SubmissionEvent? {
    do throws(VolumeError) {
      if let piece = try follower?.next() { return .output(step: piece.step, bytes: piece.bytes) }
      while let news = try watch?.look() {
        if let event = note(news, from: .volume) { return event }
      }
      if watch?.isReadable != false { isVolumeAway = false }
      return nil
    } catch {
      defer { isVolumeAway = true }
      return isVolumeAway ? nil : .volumeFailed(error)
    }
  }

  // MARK: Incoming items

  private func news(of item: SubmissionInbox.Item) throws -> SubmissionEvent? {
    switch item {
    case .place(let place): return note(place)
    case .message(let message): return try news(of: message)
    case .failed(let error):
      // With a volume the result can come without the broker, but only if a worker has the request.
      guard watch != nil, attempt > 0 else { throw error }
      return nil
    }
  }

  private func note(_ place: RequestSender.Place) -> SubmissionEvent? {
    guard attempt == 0, place != lastPlace else { return nil }
    lastPlace = place
    switch place {
    case .noSubscriber: return .noSubscriber
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
      // Once the job is taken, this is the answer to the repeated request.
      guard attempt > 0 else { throw JobIsBusy(id: request.id) }
      return nil
    }
    if event.event != .rejected, let number = event.attempt,
      let news = note(.claim(worker: event.workerId, attempt: number), from: .broker)
    {
      if event.event != .accepted { inbox.putBack(.message(message)) }
      return news
    }
    // It is on the volume now, and need not be sent again.
    if event.event == .awaitingApproval, watch != nil { close() }
    return event.event == .accepted ? nil : .event(event)
  }

  /// Other requests for the same job also have answers, and any client may publish there: only a message with this
  /// request's key, in the payload or as Correlation Data, is its answer.
  ///
  /// MQTT 3.1.1 has no Correlation Data. There a worker refuses an unreadable or unverified request without a key; such
  /// a refusal counts as long as no worker has the job.
  private func isMine(_ key: String?, _ message: Message, isRefusal: Bool) -> Bool {
    if let key { return key == request.requestID.text }
    if let data = message.properties.correlationData { return data == Array(request.requestID.text.utf8) }
    return isRefusal && sender.version == .v311 && attempt == 0
  }

  private func note(_ news: VolumeWatch.News, from side: Ending.Side) -> SubmissionEvent? {
    isKnown = true
    switch news {
    case .claim(let worker, let number):
      guard number > attempt else { return nil }
      attempt = number
      received = [:]
      // Without a volume the request is sent again after each reconnection: the answer is the result.
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
    // MQTT 3.1.1 has no properties, and so no offset.
    let stated = properties.first { $0.name == "offset" }?.value
    // No worker writes such an offset.
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
    // The difference is less than the payload's length, because its end is behind `expected`.
    return .output(step: step, bytes: Array(message.payload.dropFirst(Int(expected - offset))))
  }

  // MARK: The end

  /// The result, once both sides are complete or the wait is over.
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
