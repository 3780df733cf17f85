import Glibc
import Jobs
import SystemPackage
import Volume

/// A job's open results/, independent of its name.
final class ResultsListing: Sendable {
  let descriptor: FileDescriptor
  let identity: FolderIdentity

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

  var isEmpty: Bool { !contains { _ in true } }

  /// The first step after `step` with a log. Steps that did not run have none.
  func firstStep(after step: Int) -> Int? {
    var status = stat()
    // A step may have created a log name with the largest number.
    let next = step.addingReportingOverflow(1).partialValue
    if next > step, fstatat(descriptor.rawValue, JobsDirectory.logName(next), &status, AT_SYMLINK_NOFOLLOW) == 0 {
      return next
    }
    return steps().first { $0 > step }
  }

  /// The steps with a log, in order.
  func steps() -> [Int] {
    var steps: [Int] = []
    _ = contains { name in
      if let step = JobsDirectory.step(ofLog: name) { steps.append(step) }
      return false
    }
    return steps.sorted()
  }

  /// The size of a step's log in bytes; `nil` if there is none.
  func size(ofStep step: Int) -> Int? {
    var status = stat()
    guard fstatat(descriptor.rawValue, JobsDirectory.logName(step), &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      return nil
    }
    return Int(status.st_size)
  }

  private func contains(_ condition: (String) -> Bool) -> Bool {
    (try? firstName(in: descriptor, where: condition)) != nil
  }
}
