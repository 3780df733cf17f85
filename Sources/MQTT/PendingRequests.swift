/// Unanswered requests of a session's callers, and its subscriptions.
struct PendingRequests {
  typealias Command = SessionLoop.Command

  /// A SUBSCRIBE or an UNSUBSCRIBE.
  struct Request {
    let repeating: Command
    /// Receives the refusals; `nil` if no caller waits.
    let answer: Answer<[MQTTError]>?
    /// The filters of a SUBSCRIBE; none for an UNSUBSCRIBE.
    var filters: [TopicFilter] = []
    /// The filter of an UNSUBSCRIBE.
    var unsubscribed: TopicFilter?
    /// The request's name in a log.
    let name: String
  }

  /// A PUBLISH that is not acknowledged yet.
  private struct Publication {
    let message: Message
    let size: Int
    let answer: Answer<ReasonCode>?

    /// The broker refuses it because of its size, which is returned.
    func refuse() -> Int {
      answer?.resume(returning: .failure(.packetTooLarge(limit: size - 1)))
      return size
    }
  }

  /// The filters to subscribe to on every connection, because brokers forget them. Mosquitto 2.0 saves no shared
  /// subscription when it restarts, and still reports that the session is present.
  private(set) var subscriptions: [TopicFilter] = []
  /// In the order of sending, with the packet identifiers.
  private var requests: [(id: Int32, request: Request)] = []
  private var publications: [Int32: Publication] = [:]
  /// Topics to which publishing was refused, and reported.
  private var refusedTopics: Set<String> = []
  /// The publications' packet identifiers in the order of sending; answered ones may still be among them.
  private var order: [Int32] = []
  /// UNSUBACKs that were not yet reported to callers.
  private var unsubscribed: [Int32] = []
  private var deferred: [Command] = []
  /// The time of the broker's last answer, or of the first request after it had answered all.
  private(set) var lastAnswer = ContinuousClock.now
  /// The same, but over several connections: a request that is repeated on the next one is no new one.
  private(set) var silentSince: ContinuousClock.Instant?

  // MARK: Asking

  mutating func add(_ request: Request, _ id: Int32) {
    if !isWaiting { lastAnswer = .now }
    silentSince = silentSince ?? .now
    requests.append((id, request))
  }

  /// Whether an answer of the broker is outstanding.
  var isWaiting: Bool { !requests.isEmpty || !publications.isEmpty }

  /// The unanswered request, for a log.
  var unanswered: String {
    let first = order.lazy.compactMap { publications[$0] }.first
    return requests.first?.request.name ?? first.map { "PUBLISH to '\($0.message.topic)'" } ?? "anything"
  }

  /// The next request, or the rest of them, begins to wait.
  private mutating func answered() {
    lastAnswer = .now
    silentSince = requests.count + publications.count > 1 ? lastAnswer : nil
  }

  /// Restarts the time limit, since nothing was read until now.
  mutating func listensAgain() { lastAnswer = .now }

  mutating func add(_ message: Message, ofSize size: Int, _ answer: Answer<ReasonCode>?, _ id: Int32) {
    if !isWaiting { lastAnswer = .now }
    silentSince = silentSince ?? .now
    if order.count > 2 * publications.count + 16 { order = order.filter { publications[$0] != nil } }
    publications[id] = Publication(message: message, size: size, answer: answer)
    order.append(id)
  }

  /// Does not subscribe to it on the next connection.
  mutating func forget(_ filter: TopicFilter) { subscriptions.removeAll { $0 == filter } }

  /// Repeats the request on the next connection.
  mutating func `defer`(_ command: @escaping Command) { deferred.append(command) }

  mutating func takeDeferred() -> [Command] {
    defer { deferred = [] }
    return deferred
  }

  /// A shared subscription that the broker has not answered.
  var unansweredShare: TopicFilter? {
    requests.lazy.flatMap(\.request.filters).first { $0.shareName != nil }
  }

  // MARK: Answers

  /// The topic of a refused publication that no caller waits for, at its first refusal; only the first eight topics are
  /// reported.
  mutating func topicOfRefusal(_ id: Int32) -> String? {
    guard let publication = publications[id], publication.answer == nil, refusedTopics.count < 8,
      refusedTopics.insert(publication.message.topic).inserted
    else { return nil }
    return publication.message.topic
  }

  /// Returns the packet's size if the broker refused it for its size.
  mutating func published(_ id: Int32, _ code: ReasonCode) -> Int? {
    answered()
    guard let publication = publications.removeValue(forKey: id) else { return nil }
    guard code == .packetTooLarge else {
      publication.answer?.resume(returning: .success(code))
      return nil
    }
    return publication.refuse()
  }

  /// Fails publications that are larger than `limit`; returns whether there were any.
  mutating func refusePublications(over limit: Int) -> Bool {
    let tooLarge = publications.filter { $0.value.size > limit }
    for (id, publication) in tooLarge {
      publications[id] = nil
      publication.answer?.resume(returning: .failure(.packetTooLarge(limit: limit)))
    }
    if !isWaiting { silentSince = nil }
    return !tooLarge.isEmpty
  }

  /// The broker ended the connection because a packet was too large, and did not say which: it must refuse the largest.
  /// Fails that one, and returns its size in bytes.
  mutating func refuseLargestPublication() -> Int? {
    guard let largest = publications.max(by: { $0.value.size < $1.value.size }) else { return nil }
    publications[largest.key] = nil
    if !isWaiting { silentSince = nil }
    return largest.value.refuse()
  }

  /// Keeps the filters that the broker accepted. Returns a refusal that no caller waits for.
  mutating func subscribed(_ id: Int32, _ codes: [ReasonCode]) -> MQTTError? {
    answered()
    guard let index = requests.firstIndex(where: { $0.id == id }) else { return nil }
    let request = requests.remove(at: index).request
    let refusals = keep(request.filters, codes, unless: requests[index...].compactMap(\.request.unsubscribed))
    guard let answer = request.answer else { return refusals.first }
    answer.resume(returning: .success(refusals))
    return nil
  }

  /// Keeps the accepted filters, except for those that were `forgotten` after this SUBSCRIBE was sent.
  private mutating func keep(
    _ filters: [TopicFilter], _ codes: [ReasonCode], unless forgotten: [TopicFilter]
  ) -> [MQTTError] {
    var refusals: [MQTTError] = []
    for (index, filter) in filters.enumerated() {
      let code = index < codes.count ? codes[index] : ReasonCode(rawValue: 0x80)
      if code.isFailure {
        refusals.append(
          .refused("subscribing to '\(filter.text)': the broker answers \(code)\(code.advice)"))
      } else if !subscriptions.contains(filter), !forgotten.contains(filter) {
        subscriptions.append(filter)
      }
    }
    return refusals
  }

  mutating func unsubscribed(_ id: Int32) { unsubscribed.append(id) }

  mutating func answerUnsubscribed() {
    if !unsubscribed.isEmpty { answered() }
    for id in unsubscribed {
      guard let index = requests.firstIndex(where: { $0.id == id }) else { continue }
      requests.remove(at: index).request.answer?.resume(returning: .success([]))
    }
    unsubscribed = []
  }

  // MARK: The end of a connection

  /// Repeats unanswered requests on the next connection; the library itself repeats publications.
  mutating func connectionEnded() {
    unsubscribed = []
    // Each connection begins with all subscriptions anyway.
    deferred =
      requests.map(\.request).filter { $0.answer != nil || $0.filters.isEmpty }.map(\.repeating) + deferred
    requests = []
  }

  /// The library has lost its queue: publishes everything again on the next connection.
  mutating func repeatPublications() {
    let again = order.compactMap { publications[$0] }.map { publication -> Command in
      let (message, answer) = (publication.message, publication.answer)
      return { $0.publish(message, answer) }
    }
    publications = [:]
    order = []
    deferred = again + deferred
  }

  /// Fails all requests, since there will be no next connection. Deferred requests are not answered here.
  mutating func fail(_ error: MQTTError) {
    requests.forEach { $0.request.answer?.resume(returning: .failure(error)) }
    requests = []
    publications.values.forEach { $0.answer?.resume(returning: .failure(error)) }
    publications = [:]
    order = []
  }
}

extension ReasonCode {
  /// Advice on a refused subscription (MQTT 5, section 3.9.3; 3.1.1 has 0x80 for all).
  var advice: String {
    switch self {
    case .notAuthorized, ReasonCode(rawValue: 0x80): "; check the account's rights (ACL)"
    case .sharedSubscriptionsNotSupported:
      "; this broker has no shared subscriptions: give each worker a topic of its own, without $share"
    default: ""
    }
  }
}
