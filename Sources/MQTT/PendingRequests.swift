/// What callers have asked of a session and is not answered yet, and what it is subscribed to.
struct PendingRequests {
  typealias Command = SessionLoop.Command
  typealias Answer = SessionLoop.Answer

  /// A SUBSCRIBE or an UNSUBSCRIBE.
  struct Request {
    let repeating: Command
    /// What the broker refused; `nil` when the session asks on its own account.
    let answer: Answer<[MQTTError]>?
    /// What a SUBSCRIBE asks for.
    var filters: [TopicFilter] = []
  }

  /// What is to be subscribed on every connection: brokers forget. Mosquitto 2.0 saves no shared subscription when it
  /// restarts, and says all the same that the session is present.
  private(set) var subscriptions: [TopicFilter] = []
  private var requests: [Int32: Request] = [:]
  private var publications: [Int32: Answer<ReasonCode>] = [:]
  /// UNSUBACKs that nobody was told of.
  private var unsubscribed: [Int32] = []
  private var deferred: [Command] = []

  // MARK: Asking

  mutating func add(_ request: Request, _ id: Int32) { requests[id] = request }

  mutating func add(publication answer: Answer<ReasonCode>?, _ id: Int32) { publications[id] = answer }

  /// It is not subscribed on the next connection.
  mutating func forget(_ filter: TopicFilter) { subscriptions.removeAll { $0 == filter } }

  /// To be asked on the next connection.
  mutating func `defer`(_ command: @escaping Command) { deferred.append(command) }

  mutating func takeDeferred() -> [Command] {
    defer { deferred = [] }
    return deferred
  }

  // MARK: Answers

  mutating func published(_ id: Int32, _ code: ReasonCode) {
    publications.removeValue(forKey: id)?.resume(returning: .success(code))
  }

  /// Keeps the filters that the broker took. Returns a refusal that no caller waits for.
  mutating func subscribed(_ id: Int32, _ codes: [ReasonCode]) -> MQTTError? {
    guard let request = requests.removeValue(forKey: id) else { return nil }
    let refusals = keep(request.filters, codes)
    guard let answer = request.answer else { return refusals.first }
    answer.resume(returning: .success(refusals))
    return nil
  }

  private mutating func keep(_ filters: [TopicFilter], _ codes: [ReasonCode]) -> [MQTTError] {
    var refusals: [MQTTError] = []
    for (index, filter) in filters.enumerated() {
      let code = index < codes.count ? codes[index] : ReasonCode(rawValue: 0x80)
      if code.isFailure {
        refusals.append(
          .refused("subscribing to '\(filter.text)': the broker answers \(code); check the account's rights (ACL)"))
      } else if !subscriptions.contains(filter) {
        subscriptions.append(filter)
      }
    }
    return refusals
  }

  mutating func unsubscribed(_ id: Int32) { unsubscribed.append(id) }

  mutating func answerUnsubscribed() {
    for id in unsubscribed { requests.removeValue(forKey: id)?.answer?.resume(returning: .success([])) }
    unsubscribed = []
  }

  // MARK: The end of a connection

  /// What was asked of the lost connection is asked again of the next; publications the library repeats itself.
  mutating func connectionEnded() {
    unsubscribed = []
    deferred = requests.values.filter { $0.answer != nil }.map(\.repeating) + deferred
    requests = [:]
  }

  /// There will be no next connection. What was deferred is not answered here.
  mutating func fail(_ error: MQTTError) {
    requests.values.forEach { $0.answer?.resume(returning: .failure(error)) }
    requests = [:]
    publications.values.forEach { $0.resume(returning: .failure(error)) }
    publications = [:]
  }
}
