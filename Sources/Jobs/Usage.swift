/// What a step, or all steps of a job, used: of each process that was started and reaped, wait4(2).
package struct Usage: Codable, Sendable, Equatable {
  /// Milliseconds of CPU time in the programs themselves.
  package var userMs: Int
  /// Milliseconds of CPU time in the kernel.
  package var systemMs: Int
  /// The largest memory that one of the processes ever had, in bytes; not the sum of what several had at once.
  package var maxRssBytes: Int

  package init(userMs: Int = 0, systemMs: Int = 0, maxRssBytes: Int = 0) {
    self.userMs = userMs
    self.systemMs = systemMs
    self.maxRssBytes = maxRssBytes
  }

  /// Milliseconds of CPU time. Those in a result that another program wrote may be any numbers.
  package var cpuMs: Int {
    let (sum, isBeyond) = userMs.addingReportingOverflow(systemMs)
    return isBeyond ? .max : sum
  }

  /// Adds a later use: the times as a sum, the memory as the larger one.
  package mutating func add(_ other: Usage) {
    userMs += other.userMs
    systemMs += other.systemMs
    maxRssBytes = max(maxRssBytes, other.maxRssBytes)
  }
}
