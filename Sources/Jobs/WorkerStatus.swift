private import FoundationEssentials

/// The payload on `workers/<worker-id>/status`: how a worker is. It says which job the worker has, and nothing of what is
/// in the job.
package struct WorkerStatus: Codable, Equatable, Sendable {
  /// What a worker does.
  package enum State: String, Codable, CaseIterable, Sendable {
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
  package enum Absence: String, Sendable {
    /// It was told to stop, and does not come back by itself.
    case left
    /// Its process ended by itself, after a job mostly, and the next one is expected.
    case away
    /// Its connection was cut: it was killed, is frozen, or the network is down. The broker says this, not the worker.
    case lost
  }

  /// What it does.
  package var state: State
  /// The worker.
  package var workerId: String
  /// The topic filter of its jobs, which makes its kind.
  package var topic: String?
  /// The job that it has.
  package var job: String?
  /// Which attempt of the job, from 1.
  package var attempt: Int?
  /// The place of the step that runs, from 0.
  package var step: Int?
  /// When it came to this state, as ``Timestamp`` writes it. Nothing when the broker speaks for it.
  package var since: String?
  /// When this was written, likewise.
  package var time: String?
  /// Why it is halted or offline.
  package var reason: String?
  /// The name of its host.
  package var host: String?
  /// Its process id, in its own PID namespace.
  package var pid: Int32?
  /// Its program's version.
  package var version: String?
  /// After how many seconds it writes again at the latest.
  package var heartbeat: Double?
  /// How many processes of the host ran or waited for a processor, as a mean over the last minute.
  package var load: Double?
  /// Bytes of memory that the worker's process has in use.
  package var memory: Int64?
  /// Bytes of memory that new processes on the host can have.
  package var memoryFree: Int64?
  /// Bytes that the worker can still write to the shared volume.
  package var jobsFree: Int64?
  /// Bytes that the worker can still write where workspaces are.
  package var workspacesFree: Int64?
  /// How many results of its kind of workers the broker did not take, if any; they are tried again.
  package var undelivered: Int?

  /// A status of the worker `id`.
  package init(_ state: State, of id: WorkerID) {
    self.state = state
    workerId = id.text
  }

  /// The status that a payload holds; `nil` for anything else, an empty one too, which clears the topic.
  package init?(payload: [UInt8]) {
    guard payload.count <= 64 << 10, let status = try? JSONDecoder().decode(Self.self, from: Data(payload)) else {
      return nil
    }
    self = status
  }

  /// The payload: compact JSON, keys sorted.
  package func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }
}

extension WorkerStatus {
  /// How long the broker keeps a status, in seconds. 3.1.1 has no expiry: there a worker that leaves clears its status.
  package enum Lifetime {
    /// Of a worker that is there: three heartbeats.
    package static func live(_ heartbeat: Duration) -> UInt32 {
      UInt32(clamping: (heartbeat * 3).components.seconds + 1)
    }

    /// Of one that is offline.
    package static func of(_ absence: Absence) -> UInt32 {
      switch absence {
      // Until somebody will have looked.
      case .lost: 86400
      // As long as its control session waits for it.
      case .away: 300
      // So that those who watch see it.
      case .left: 60
      }
    }
  }
}

/// Where in a job a worker is.
package struct JobPlace: Equatable, Sendable {
  /// The job.
  package var id: JobID
  /// Which attempt of it, from 1.
  package var attempt: Int
  /// The place of the step that runs, from 0; `nil` before the first and after the last.
  package var step: Int?

  /// A place in an attempt of the job `id`.
  package init(_ id: JobID, attempt: Int, step: Int? = nil) {
    self.id = id
    self.attempt = attempt
    self.step = step
  }
}
