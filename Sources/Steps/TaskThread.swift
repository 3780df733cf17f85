private import Dispatch

/// An executor for tasks that run one at a time (SE-0417).
///
/// Swift's pool has one thread for each core: a task that blocks on the volume keeps one of them from all others. Each hop
/// between two threads of the pool wakes the second, which costs more than most tasks of a worker.
package final class TaskThread: TaskExecutor {
  /// For tasks that only react to what others do.
  package static let watching = TaskThread("watching")

  private let queue: DispatchQueue

  /// An executor of its own, whose thread has the name `label` for debuggers.
  package init(_ label: String) {
    queue = DispatchQueue(label: label)
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
