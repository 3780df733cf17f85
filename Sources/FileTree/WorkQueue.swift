import Glibc
import Synchronization

/// A queue whose items may add further items, processed by the calling thread and by more threads when they pay.
///
/// The last item pushed is the first taken: a tree is walked depth-first, so the queue stays short. Threads are started
/// one by one while items wait, up to a fixed number: more than there are cores, because callers of a volume wait for
/// it.
///
/// `Lane` is the state of one thread: buffers, counters, findings. `run` returns all lanes.
// Sendable: every stored `var` is only accessed under `mutex`, or is a lane that one thread uses alone until `run` has
// joined that thread.
final class WorkQueue<Item, Lane>: @unchecked Sendable {
  /// Starting a thread costs about as much as copying ten files: a tree that takes less than this is not shared. In
  /// nanoseconds.
  private static var alone: Int64 { 500_000 }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let arrival: UnsafeMutablePointer<pthread_cond_t>
  private let makeLane: () -> Lane
  private let perform: (Item, Lane, WorkQueue) -> Void

  private var items: [Item] = []
  private var lanes: [Lane] = []
  private var threads: [pthread_t] = []
  private var workers = 1
  private var waiting = 0
  private var ended = false

  private let hungry = Atomic<Bool>(true)
  /// Whether the work has taken long enough for other threads to pay.
  private let isShared = Atomic<Bool>(false)
  private let stopped = Atomic<Bool>(false)
  private let begun = clock(CLOCK_MONOTONIC)
  private let limit: Int

  /// `limit` is the number of threads, including the calling one.
  init(
    threads limit: Int = FileTree.mostThreads, makeLane: @escaping () -> Lane,
    perform: @escaping (Item, Lane, WorkQueue) -> Void
  ) {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    arrival = .allocate(capacity: 1)
    arrival.initialize(to: pthread_cond_t())
    pthread_cond_init(arrival, nil)
    self.makeLane = makeLane
    self.perform = perform
    self.limit = limit
  }

  deinit {
    pthread_cond_destroy(arrival)
    arrival.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Whether a thread waits for work or could be started: then sharing work pays.
  var isHungry: Bool { hungry.load(ordering: .relaxed) }

  /// Whether `stop` was called: items in progress should end soon.
  var isStopped: Bool { stopped.load(ordering: .relaxed) }

  /// Drops the items that have not been started.
  func stop() {
    stopped.store(true, ordering: .relaxed)
  }

  func push(_ item: Item) {
    locked {
      items.append(item)
      admit()
    }
  }

  /// Starts sharing when the work has taken long enough. The check is cheap: call it after each file.
  @inline(__always)
  func grow() {
    guard !isShared.load(ordering: .relaxed), clock(CLOCK_MONOTONIC) - begun > Self.alone else { return }
    isShared.store(true, ordering: .relaxed)
    locked { admit() }
  }

  /// Performs the items and all that they push; returns when no item is left.
  func run(_ first: [Item]) -> [Lane] {
    locked { items = first }
    work()
    for thread in locked({ threads }) { pthread_join(thread, nil) }
    return lanes
  }

  /// Wakes or starts a thread for a waiting item. The mutex is held.
  private func admit() {
    if waiting > 0 {
      pthread_cond_signal(arrival)
    } else if !items.isEmpty, workers < limit, !ended, isShared.load(ordering: .relaxed),
      let thread = startThread({ [self] in work() })
    {
      threads.append(thread)
      workers += 1
    }
    updateHunger()
  }

  private func updateHunger() {
    hungry.store(waiting > items.count || workers < limit, ordering: .relaxed)
  }

  private func work() {
    let lane = makeLane()
    while let item = take() {
      perform(item, lane, self)
      grow()
    }
    locked { lanes.append(lane) }
  }

  private func take() -> Item? {
    locked {
      if isStopped { items.removeAll() }
      waiting += 1
      while items.isEmpty, !ended {
        if waiting == workers {
          ended = true
          pthread_cond_broadcast(arrival)
        } else {
          updateHunger()
          pthread_cond_wait(arrival, mutex)
        }
        if isStopped { items.removeAll() }
      }
      waiting -= 1
      guard let item = items.popLast() else { return nil }
      admit()
      return item
    }
  }

  @inline(__always)
  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}

extension FileTree {
  /// The default number of threads for a tree, including the calling one.
  public static let mostThreads = max(32, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}

/// The error that ends parallel work: the first that any thread reports.
final class FirstFailure: Sendable {
  private let stored = Mutex<FileTreeError?>(nil)

  var value: FileTreeError? { stored.withLock { $0 } }

  func set(_ error: FileTreeError) {
    stored.withLock { if $0 == nil { $0 = error } }
  }
}

/// Starts a thread with all signals blocked; signals are for the program's own threads. Returns `nil` when no thread
/// can be created.
func startThread(_ body: @escaping () -> Void) -> pthread_t? {
  let box = Unmanaged.passRetained(ThreadBody(body))
  var everything = sigset_t()
  var before = sigset_t()
  sigfillset(&everything)
  pthread_sigmask(SIG_SETMASK, &everything, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  var thread = pthread_t()
  let result = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue().run()
      return nil
    }, box.toOpaque())
  guard result == 0 else {
    box.release()
    return nil
  }
  return thread
}

private final class ThreadBody {
  let run: () -> Void

  init(_ run: @escaping () -> Void) {
    self.run = run
  }
}

/// Sums the progress of all threads of a copy, and reports it a few times a second.
final class ProgressMeter: Sendable {
  private static let interval: Int64 = 100_000_000

  private let files = Atomic<Int>(0)
  private let bytes = Atomic<Int64>(0)
  private let begin = ContinuousClock.now
  private let nextReport: Atomic<Int64>
  private let reporting = Mutex(())
  private let report: (@Sendable (CopyProgress) -> Void)?

  init(_ report: (@Sendable (CopyProgress) -> Void)?) {
    self.report = report
    nextReport = Atomic(clock(CLOCK_MONOTONIC_COARSE) + Self.interval)
  }

  /// Adds to the counts, and reports if a report is due and no other thread is reporting.
  func add(files moreFiles: Int, bytes moreBytes: Int64 = 0) {
    guard let report else { return }
    files.add(moreFiles, ordering: .relaxed)
    // Sizes of sparse files may overflow; a sum that is only displayed must not crash the program.
    bytes.wrappingAdd(moreBytes, ordering: .relaxed)
    guard clock(CLOCK_MONOTONIC_COARSE) >= nextReport.load(ordering: .relaxed) else { return }
    _ = reporting.withLockIfAvailable { _ in
      let now = clock(CLOCK_MONOTONIC_COARSE)
      guard now >= nextReport.load(ordering: .relaxed) else { return }
      nextReport.store(now + Self.interval, ordering: .relaxed)
      report(
        CopyProgress(
          files: files.load(ordering: .relaxed), bytes: bytes.load(ordering: .relaxed),
          elapsed: ContinuousClock.now - begin))
    }
  }
}
