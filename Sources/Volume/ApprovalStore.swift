private import Glibc
package import Jobs
import SystemPackage

/// The requests that wait for approval, and the decisions about them. It needs no worker and no broker: anybody who may
/// write below `.worker` can decide.
///
/// A single rename(2) makes a decision. First the request is written with the decision beside the parked one, as
/// `<name>.<nonce>.decision`. Then the parked one is renamed to `<name>.<nonce>.decided`: of several processes only one
/// can do this, and its decision holds. Then the `.decision` is renamed into the deferred queue. If a process is killed
/// on the way, the next one continues from there: a `.decision` without its `.decided` is void.
package struct ApprovalStore: Sendable {
  private let directory: JobsDirectory

  /// The store of `directory`; reads and writes nothing.
  package init(_ directory: JobsDirectory) {
    self.directory = directory
  }

  /// The parked requests, oldest first within each topic filter.
  package func parked() throws(VolumeError) -> [ParkedRequest] {
    var parked: [ParkedRequest] = []
    for filterFolder in try DurableFile.names(in: directory.parked).sorted() {
      let folder = directory.parked.appending(filterFolder)
      for (instant, id, name) in try DeferredQueue.parsedNames(in: folder) {
        let path = folder.appending(name)
        guard let file = try KnownFile.read(path, .passOver), let deferred = DeferredRequest(file, id) else { continue }
        parked.append(
          ParkedRequest(
            request: deferred, filterFolder: filterFolder,
            since: Timestamp(millisecondsSince1970: instant / 1_000_000),
            directory: directory))
      }
    }
    return parked
  }

  /// Decides about a request; `false` if somebody else has decided, or the request is gone.
  package func decide(_ approval: Approval, on parked: ParkedRequest) throws(VolumeError) -> Bool {
    let folder = parked.request.path.folder
    let stem = ApprovalStore.stem(parked.request.path.name)
    let nonce = DurableFile.nonce
    let decision = folder.appending("\(stem).\(nonce).decision")
    var envelope = parked.request.envelope
    envelope.approval = approval
    if let file = try DurableFile.create(decision, DurableFile.line(envelope, for: decision)) {
      give(file, ownerOf: parked.request.path)
      try? file.close()
    }
    TestStopPoint.decisionWritten.reached()
    guard try DurableFile.move(parked.request.path, to: folder.appending("\(stem).\(nonce).decided")) else {
      try DurableFile.remove(decision)
      return false
    }
    TestStopPoint.decisionMade.reached()
    try finish(parked.filterFolder)
    return true
  }

  /// Gives the file the owner and mode of the parked one, so that workers can read it whatever the umask is. Best
  /// effort.
  private func give(_ file: FileDescriptor, ownerOf path: VolumePath) {
    guard let status = try? path.status() else { return }
    fchmod(file.rawValue, status.st_mode & 0o666)
    _ = fchown(file.rawValue, status.st_uid, status.st_gid)
  }

  /// A name without its last extension.
  private static func stem(_ name: String) -> String {
    name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
  }

  /// Finishes decisions for the workers of `filter` that a process began before it was killed.
  package func finish(of filter: String) throws(VolumeError) {
    try finish(directory.parkedFolder(of: filter).name)
  }

  private func finish(_ filterFolder: String) throws(VolumeError) {
    let (parked, waiting) = (directory.parked.appending(filterFolder), directory.waiting.appending(filterFolder))
    let names = try DurableFile.names(in: parked)
    for name in names where name.hasSuffix(".decided") {
      let path = parked.appending(name)
      let stem = ApprovalStore.stem(name)
      try DurableFile.makeFolder(waiting)
      _ = try DurableFile.move(
        parked.appending("\(stem).decision"),
        to: DeferredQueue.freePath(like: "\(ApprovalStore.stem(stem)).json", in: waiting))
      try DurableFile.discard(path)
    }
    for name in names where name.hasSuffix(".decision") {
      let path = parked.appending(name)
      let stem = ApprovalStore.stem(name)
      // Check in this order: a process that renames the request after the first check does not find the `.decision`.
      guard try DurableFile.isMissing(parked.appending("\(ApprovalStore.stem(stem)).json")),
        try DurableFile.isMissing(parked.appending("\(stem).decided"))
      else { continue }
      try DurableFile.discard(path)
    }
  }
}

/// A request that waits for approval.
package struct ParkedRequest: Sendable {
  package let request: DeferredRequest
  package let filterFolder: String
  /// The start of the wait, by the volume's clock.
  package let since: Timestamp
  package let directory: JobsDirectory

  /// The job.
  package var id: JobID { request.id }
  /// The request as it arrived.
  package var envelope: Envelope { request.envelope }
  /// The topic filter of the workers that may take it.
  package var filter: String { directory.filter(ofFolder: filterFolder) }
}
