import Dispatch

/// The executor of the command's own task (SE-0417), which may wait for the volume.
///
/// A task that blocks keeps its thread, and Swift's pool has one thread for each core. The tasks beside the command's own,
/// which answer commands and look for signals to stop, have the pool to themselves.
final class CommandThread: TaskExecutor {
  private let queue = DispatchQueue(label: "command")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
