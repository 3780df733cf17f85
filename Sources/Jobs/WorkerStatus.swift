/// The payload on `workers/<worker-id>/status`. It names the worker's job, and has nothing of the job's content.
package struct WorkerStatus: Payload, Equatable, Sendable {
  /// The state of a worker.
  package enum State: String, Codable, CaseIterable, Sendable {
    /// The worker waits for a job.
    case idle
    /// The worker runs a job.
    case busy
    /// The worker takes no job because KILLSWITCH exists.
    case halted
    /// The worker has no connection; ``WorkerStatus/reason`` says why.
    case offline
  }

  /// The `reason` of a worker that is offline.
  package enum Absence: String, Sendable {
    /// The worker was told to stop, and does not come back by itself.
    case left
    /// The process ended by itself, mostly after a job, and the next one is expected.
    case away
    /// The connection was lost: the worker was killed or is frozen, or the network is down. The broker publishes this
    /// as the Last Will.
    case lost
  }

  /// What a worker does once it has no job.
  package enum Leaving: String, Codable, Sendable {
    /// It ends for good, by the command `drain`.
    case drain
    /// It ends, and its next process reads the settings, by the command `config-reload`.
    case reload
    /// It ends, by a signal.
    case stop
  }

  /// The largest status that is read: 64 KiB.
  package static let largestPayload = 64 << 10

  /// The state.
  package var state: State
  /// The worker.
  package var workerId: String
  /// The topic filter of its requests; of several, the most urgent.
  package var topic: String?
  /// The topic filters of its requests, most urgent first, if there are several.
  package var topics: [String]?
  /// The current job.
  package var job: String?
  /// The attempt, from 1.
  package var attempt: Int?
  /// The index of the current step, from 0.
  package var step: Int?
  /// The start of this state, as ``Timestamp`` writes it; `nil` in a Last Will.
  package var since: String?
  /// The time of writing, likewise; `nil` in a Last Will.
  package var time: String?
  /// The reason why it is halted or offline.
  package var reason: String?
  /// What it does once it has no job; `nil` if it stays.
  package var leaving: Leaving?
  /// The host name.
  package var host: String?
  /// Its process id, in its own PID namespace.
  package var pid: Int32?
  /// Its program's version.
  package var version: String?
  /// The heartbeat interval in seconds: the next status comes within it.
  package var heartbeat: Double?
  /// The host's load average over the last minute (proc_loadavg(5)).
  package var load: Double?
  /// The memory of the worker's process, in bytes.
  package var memory: Int64?
  /// The available memory of the host, in bytes.
  package var memoryFree: Int64?
  /// The free space of the shared volume for the worker, in bytes.
  package var jobsFree: Int64?
  /// The free space of the workspaces for the worker, in bytes.
  package var workspacesFree: Int64?
  /// The number of results that the broker refused to workers of its topic filters, if any; they are retried.
  package var undelivered: Int?

  /// A status of the worker `id`.
  package init(_ state: State, of id: WorkerID) {
    self.state = state
    workerId = id.text
  }
}

extension WorkerStatus {
  /// The Message Expiry Interval of a status, in seconds. MQTT 3.1.1 has no expiry: there a worker that leaves clears
  /// its status.
  package enum Lifetime {
    /// For a live worker: three heartbeats.
    package static func live(_ heartbeat: Duration) -> UInt32 {
      UInt32(clamping: (heartbeat * 3).components.seconds + 1)
    }

    /// For an offline worker.
    package static func of(_ absence: Absence) -> UInt32 {
      switch absence {
      // A day, until somebody has seen it.
      case .lost: 86400
      // As long as its control session lasts.
      case .away: 300
      // Long enough for watching clients.
      case .left: 60
      }
    }
  }
}

/// The progress of a worker in a job.
package struct JobPlace: Equatable, Sendable {
  /// The job.
  package var id: JobID
  /// The attempt, from 1.
  package var attempt: Int
  /// The index of the current step, from 0; `nil` before the first and after the last.
  package var step: Int?

  /// A place in an attempt of the job `id`.
  package init(_ id: JobID, attempt: Int, step: Int? = nil) {
    self.id = id
    self.attempt = attempt
    self.step = step
  }
}
