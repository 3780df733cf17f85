private import FoundationEssentials

/// The payload on `workers/<worker-id>/status`: how a worker is. It says which job the worker has, and nothing of what is
/// in the job.
public struct WorkerStatus: Codable, Equatable, Sendable {
  /// What a worker does.
  public enum State: String, Codable, CaseIterable, Sendable {
    /// It waits for a job.
    case idle
    /// It has a job.
    case busy
    /// It takes no job while KILLSWITCH is there.
    case halted
    /// It has no connection; ``WorkerStatus/reason`` says why.
    case offline
  }

  /// Why a worker is offline, as its `reason` says it.
  public enum Absence: String, Sendable {
    /// It was told to stop, and does not come back by itself.
    case left
    /// Its process ended by itself, after a job mostly, and the next one is expected.
    case away
    /// Its connection was cut: it was killed, is frozen, or the network is down. The broker says this, not the worker.
    case lost
  }

  /// What it does.
  public var state: State
  /// The worker.
  public var workerId: String
  /// The topic filter of its jobs, which makes its kind.
  public var topic: String?
  /// The job that it has.
  public var job: String?
  /// Which attempt of the job, from 1.
  public var attempt: Int?
  /// The place of the step that runs, from 0.
  public var step: Int?
  /// When it came to this state, as ``Timestamp`` writes it. Nothing when the broker speaks for it.
  public var since: String?
  /// When this was written, likewise.
  public var time: String?
  /// Why it is halted or offline.
  public var reason: String?
  /// The name of its host.
  public var host: String?
  /// Its process id, in its own PID namespace.
  public var pid: Int32?
  /// Its program's version.
  public var version: String?
  /// After how many seconds it writes again at the latest.
  public var heartbeat: Double?
  /// How many processes of the host ran or waited for a processor, as a mean over the last minute.
  public var load: Double?
  /// Bytes of memory that the worker's process has in use.
  public var memory: Int64?
  /// Bytes of memory that new processes on the host can have.
  public var memoryFree: Int64?
  /// Bytes that the worker can still write to the shared volume.
  public var jobsFree: Int64?
  /// Bytes that the worker can still write where workspaces are.
  public var workspacesFree: Int64?
  /// How many results of its kind of workers the broker did not take, if any; they are tried again.
  public var undelivered: Int?

  /// A status of the worker `id`.
  public init(_ state: State, of id: WorkerID) {
    self.state = state
    workerId = id.text
  }

  /// The status that a payload holds; `nil` for anything else, an empty one too, which clears the topic.
  public init?(payload: [UInt8]) {
    guard payload.count <= 64 << 10, let status = try? JSONDecoder().decode(Self.self, from: Data(payload)) else {
      return nil
    }
    self = status
  }

  /// The payload: compact JSON, keys sorted.
  public func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }
}

/// Where in a job a worker is.
public struct JobPlace: Equatable, Sendable {
  /// The job.
  public var id: JobID
  /// Which attempt of it, from 1.
  public var attempt: Int
  /// The place of the step that runs, from 0; `nil` before the first and after the last.
  public var step: Int?

  /// A place in an attempt of the job `id`.
  public init(_ id: JobID, attempt: Int, step: Int? = nil) {
    self.id = id
    self.attempt = attempt
    self.step = step
  }
}
