private import Glibc
package import Jobs
import SystemPackage

/// Where requests that wait for approval are let go. It needs no worker and no broker: whoever may write below `.worker` can
/// decide.
///
/// A decision is made by one rename(2). Before it, the request is written with the decision beside the parked one, as
/// `<ticket>.<nonce>.decision`; then the parked one is renamed to `<ticket>.<nonce>.decided`, which of many who decide at once
/// one can do, and which says whose decision holds; then that is renamed into the waiting room. Whoever comes next goes on
/// from wherever the one before was killed: a decision without its `.decided` was none.
package struct ApprovalStore: Sendable {
  private let directory: JobsDirectory

  /// The desk of `directory`; nothing is looked up or made.
  package init(_ directory: JobsDirectory) {
    self.directory = directory
  }

  /// What waits, oldest first within each kind of workers.
  package func parked() throws(VolumeError) -> [ParkedRequest] {
    var parked: [ParkedRequest] = []
    for room in try DurableFile.names(in: directory.parked).sorted() {
      let folder = directory.parked.appending(room)
      for (instant, id, name) in try DeferredQueue.ticketNames(in: folder) {
        let path = folder.appending(name)
        guard let file = try KnownFile.read(path, .passOver), let ticket = DeferredRequest(file, id) else { continue }
        parked.append(
          ParkedRequest(
            ticket: ticket, room: room, since: Timestamp(millisecondsSince1970: instant / 1_000_000),
            directory: directory))
      }
    }
    return parked
  }

  /// Lets a request go with this decision; `false` when somebody else has decided, or the request is gone.
  package func decide(_ approval: Approval, on parked: ParkedRequest) throws(VolumeError) -> Bool {
    let folder = parked.ticket.path.folder
    let stem = ApprovalStore.stem(parked.ticket.path.name)
    let nonce = String(UInt64.random(in: 0 ... .max), radix: 36)
    let decision = folder.appending("\(stem).\(nonce).decision")
    var envelope = parked.ticket.envelope
    envelope.approval = approval
    if let file = try DurableFile.create(decision, DeferredQueue.bytes(of: envelope, folder)) {
      give(file, ownerOf: parked.ticket.path)
      try? file.close()
    }
    TestStopPoint.decisionWritten.reached()
    guard try DurableFile.move(parked.ticket.path, to: folder.appending("\(stem).\(nonce).decided")) else {
      try DurableFile.remove(decision)
      return false
    }
    TestStopPoint.decisionMade.reached()
    try finish(parked.room)
    return true
  }

  /// Has workers read the file as they read the parked one, whoever decides and whatever his umask is. Best effort.
  private func give(_ file: FileDescriptor, ownerOf path: VolumePath) {
    guard let status = try? path.status() else { return }
    fchmod(file.rawValue, status.st_mode & 0o666)
    _ = fchown(file.rawValue, status.st_uid, status.st_gid)
  }

  /// A name without what follows its last dot.
  private static func stem(_ name: String) -> String {
    name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
  }

  /// Goes on with decisions for the workers that listen to `filter` over which somebody died.
  package func finish(of filter: String) throws(VolumeError) {
    try finish(directory.parkingRoom(of: filter).name)
  }

  private func finish(_ room: String) throws(VolumeError) {
    let (parked, waiting) = (directory.parked.appending(room), directory.waiting.appending(room))
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
      // In this order: who renames the request from now on does not find it.
      guard try isGone(parked.appending("\(ApprovalStore.stem(stem)).json")),
        try isGone(parked.appending("\(stem).decided"))
      else { continue }
      try DurableFile.discard(path)
    }
  }
}

/// Whether nothing bears the name. Throws when the volume does not say.
private func isGone(_ path: VolumePath) throws(VolumeError) -> Bool {
  do throws(Errno) {
    _ = try path.status()
    return false
  } catch {
    guard error.saysGone else { throw VolumeError("looking at", path, error) }
    return true
  }
}

/// A request that waits for approval, and what it comes to.
package struct ParkedRequest: Sendable {
  package let ticket: DeferredRequest
  package let room: String
  /// Since when it waits, by the volume's clock.
  package let since: Timestamp
  package let directory: JobsDirectory

  /// The job.
  package var id: JobID { ticket.id }
  /// The request as it arrived.
  package var envelope: Envelope { ticket.envelope }
  /// The topic filter of the workers that may take it.
  package var filter: String { directory.filter(ofFolder: room) }
}
