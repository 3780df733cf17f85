import CConcurrency
import Glibc
import Synchronization

/// The program's first thread, as the one that runs its tasks.
///
/// Swift's pool hands tasks from thread to thread, and its threads must be made first: in a process that lives for one job,
/// that costs more than a tenth of it. Here they run one after the other. When one has kept the thread for 5 ms, as it waits
/// for the volume, the others go to the pool as soon as anything else is ready to run: a timer, a message, a signal.
///
/// Tasks of the main actor, and blocks of the main queue, would wait for ever: there are none.
enum MainThread {
  /// A piece of a task that is ready to run.
  ///
  /// It may be sent: the runtime gives it away, and it is run once, by whichever thread has taken it off the line.
  private struct Job: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
  }

  private struct Line {
    var jobs: [Job] = []
    /// The first of them that nobody has taken.
    var next = 0
    var isAwaited = false
    /// When the job that runs was taken.
    var began = ContinuousClock.now

    mutating func take() -> Job? {
      guard next < jobs.count else {
        empty()
        isAwaited = true
        return nil
      }
      (next, began) = (next + 1, .now)
      return jobs[next - 1]
    }

    mutating func takeAll() -> [Job] {
      defer { empty() }
      return Array(jobs[next...])
    }

    private mutating func empty() {
      jobs.removeAll(keepingCapacity: true)
      next = 0
    }
  }

  private enum Arrival {
    case ends(wait: Bool)
    case findsThreadKept([Job])
  }

  private static let patience = Duration.milliseconds(5)
  private static let line = Mutex(Line())
  /// Posted when a job comes that the thread waits for. sem_post(3) and sem_wait(3) are made for several threads.
  private nonisolated(unsafe) static let arrivals = {
    let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
    return semaphore
  }()

  /// From now on tasks wait for `run`. To be called before there are any.
  static func takeTasks() {
    concurrency_take_over { job in
      if let job { MainThread.add(Job(pointer: job)) }
    }
  }

  /// Runs tasks until one of them ends the process.
  static func run() -> Never {
    while true {
      if let job = line.withLock({ $0.take() }) {
        concurrency_run(job.pointer)
      } else {
        sem_wait(arrivals)
      }
    }
  }

  private static func add(_ job: Job) {
    let arrival: Arrival = line.withLock { line in
      line.jobs.append(job)
      guard line.isAwaited || line.began + patience > .now else { return .findsThreadKept(line.takeAll()) }
      defer { line.isAwaited = false }
      return .ends(wait: line.isAwaited)
    }
    switch arrival {
    case .ends(wait: true): sem_post(arrivals)
    case .ends(wait: false): break
    case .findsThreadKept(let jobs): for job in jobs { concurrency_give_to_pool(job.pointer) }
    }
  }
}
