import Glibc
import Jobs
import SystemPackage
import Volume

/// A job's results/ that is held open, whatever becomes of its name.
final class ResultsListing: Sendable {
  package let descriptor: FileDescriptor
  package let identity: FolderIdentity

  init?(of id: JobID, _ records: JobRecords) {
    guard let descriptor = records.openResults(of: id) else { return nil }
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0 else {
      try? descriptor.close()
      return nil
    }
    self.descriptor = descriptor
    identity = FolderIdentity(status)
  }

  deinit {
    try? descriptor.close()
  }

  package var isEmpty: Bool { !contains { _ in true } }

  /// The first step behind `step` that has a log. Steps that were not run have none.
  func firstStep(after step: Int) -> Int? {
    var status = stat()
    // A step may have made a file whose name has the largest number.
    let next = step.addingReportingOverflow(1).partialValue
    if next > step, fstatat(descriptor.rawValue, JobsDirectory.logName(next), &status, AT_SYMLINK_NOFOLLOW) == 0 {
      return next
    }
    return steps().first { $0 > step }
  }

  /// The steps that have a log, in order.
  package func steps() -> [Int] {
    var steps: [Int] = []
    _ = contains { name in
      if let step = JobsDirectory.step(ofLog: name) { steps.append(step) }
      return false
    }
    return steps.sorted()
  }

  private func contains(_ condition: (String) -> Bool) -> Bool {
    (try? firstName(in: descriptor, where: condition)) != nil
  }
}

/// Which folder has a name: two of the same number are the same, as long as one of them is open.
struct FolderIdentity: Equatable, Sendable {
  package let device: UInt64
  package let number: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}
