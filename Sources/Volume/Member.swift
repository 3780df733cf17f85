import Jobs

/// A worker with a session at the broker, and so with a share of its group's messages.
package struct Member: Codable, Sendable {
  /// Whether the worker comes back to its session.
  package enum State: String, Codable, Sendable {
    /// The worker is connected.
    case present
    /// The process ended after a job, and the next one is expected.
    case away
    /// The worker was told to stop: another worker must empty its session.
    case left
  }

  /// The worker's id.
  package var worker: String
  /// The mark of a session for a further topic filter; `nil` for the worker's first.
  package var mark: String?
  /// The MQTT client id of its durable session.
  package var clientId: String
  /// The topic filter that the session is subscribed to.
  package var filter: String
  /// The broker, as `host:port`.
  package var broker: String
  /// The process.
  package var process: ProcessIdentity
  /// Whether it comes back.
  package var state: State
  /// The epoch of the session, which identifies redeliveries; `nil` in files of version 0.1, which also have
  /// ``State/left`` in a `.json`.
  package var epoch: String?
  /// The marks of the worker's further sessions, in the file of its first; `nil` in files of version 0.1.
  package var marks: [String]?

  /// A member that is present.
  package init(
    worker: String, mark: String? = nil, clientId: String, filter: String, broker: String,
    process: ProcessIdentity = .current, marks: [String]? = nil
  ) {
    self.worker = worker
    self.mark = mark
    self.marks = marks
    self.clientId = clientId
    self.filter = filter
    self.broker = broker
    self.process = process
    state = .present
  }

  /// Whether both are the same subscription of one client id at one broker.
  package func isOfSameSession(as other: Member) -> Bool {
    name == other.name && clientId == other.clientId && filter == other.filter && broker == other.broker
  }

  /// The name of its file, without extension.
  var name: String { SessionName.marked(worker, mark) }
}
