private import FoundationEssentials
package import Jobs
import SystemPackage

/// A worker that has a session with the broker, and so a share of its group's messages.
package struct Member: Codable, Sendable {
  /// Whether the worker comes back for what its session holds.
  package enum State: String, Codable, Sendable {
    /// It listens.
    case present
    /// Its process ended after a job, and the next one is expected.
    case away
    /// It was told to stop: somebody else must empty its session.
    case left
  }

  /// The worker's id.
  package var worker: String
  /// The MQTT client id of its durable session.
  package var clientId: String
  /// The topic filter that the session is subscribed to.
  package var filter: String
  /// The broker, as `host:port`.
  package var broker: String
  /// Its process.
  package var process: ProcessIdentity
  /// Whether it comes back.
  package var state: State
  /// The session's, by which what the broker sends again is known; `nil` in files of version 0.1, which also say
  /// ``State/left`` in a `.json`.
  package var epoch: String?

  /// A member that is present.
  package init(worker: String, clientId: String, filter: String, broker: String, process: ProcessIdentity = .current) {
    self.worker = worker
    self.clientId = clientId
    self.filter = filter
    self.broker = broker
    self.process = process
    state = .present
  }

  /// What a file says; `nil` if that is not all that a member has.
  init?(json: [UInt8]) {
    guard let member = try? JSONDecoder().decode(Member.self, from: Data(json)) else { return nil }
    self = member
  }

  /// Whether both are of one client id's subscription at one broker.
  package func isOfSameSession(as other: Member) -> Bool {
    worker == other.worker && clientId == other.clientId && filter == other.filter && broker == other.broker
  }
}

/// Who has a session with the broker: a file for each worker, `<worker>.json`, leased like a claim. A worker that leaves renames
/// it to `<worker>.left`, so that others need not read the files of all to find those that have left.
package struct Members: Sendable {
  let folder: VolumePath
  let lease: Lease

  /// Writes this worker's file and touches it every third of the lease until the membership ends.
  package func join(_ member: Member) throws(VolumeError) -> Membership {
    try DurableFile.makeFolder(folder)
    let path = file(of: member.worker)
    try write(member, path)
    // While both are there, the other counts.
    try DurableFile.remove(leftFile(of: member.worker))
    do {
      return try Membership(member, self, path)
    } catch  where error.cause.saysGone {
      // Another worker took the membership of an earlier life for a dead one's, and finished that only now.
      try write(member, path)
      return try Membership(member, self, path)
    }
  }

  /// What the file of `worker` says; `nil` if there is none.
  package func member(_ worker: WorkerID) throws(VolumeError) -> Member? { try member(worker.text) }

  private func member(_ worker: String) throws(VolumeError) -> Member? {
    // It may leave, or come back, between two looks.
    for path in [file(of: worker), leftFile(of: worker), file(of: worker)] {
      if let member = try read(path) { return member }
    }
    return nil
  }

  /// Those that have a file and have not left.
  package var workers: [WorkerID] {
    get throws(VolumeError) {
      try DurableFile.names(in: folder).filter { $0.hasSuffix(".json") }.compactMap {
        WorkerID(String($0.dropLast(5)), host: "")
      }
    }
  }

  /// Whether another live process bears the id `worker`: it is watched for a lease, unless it has certainly ended.
  /// The watch ends, with no, when `isWatching` says so.
  package func isInUse(_ worker: WorkerID, while isWatching: () -> Bool = { true }) async throws -> Bool {
    let path = file(of: worker.text)
    guard let member = try read(path), member.state == .present, member.process != .current,
      !member.process.hasEnded
    else { return false }
    let before = try lease.clock.touched(path)
    let deadline = ContinuousClock.now + lease.duration
    while ContinuousClock.now < deadline, isWatching() {
      try await Task.sleep(for: min(lease.duration / 10, .milliseconds(250)))
      let now: Int64?
      // An error says nothing: it is asked again.
      do { now = try lease.clock.touched(path) } catch { continue }
      guard let now else { return false }
      guard now != before else { continue }
      return try read(path)?.state == .present
    }
    return false
  }

  /// The members of `filter` at `broker`, other than `worker`, that are dead or have left.
  ///
  /// Every worker that waits looks for them all the time: the files of those that are there are not read. A file of version
  /// 0.1 that says ``Member/State/left`` is found when its lease is over.
  func departed(filter: String, broker: String, except worker: WorkerID) throws(VolumeError) -> [Member] {
    let moment = try lease.clock.now()
    let names = try DurableFile.names(in: folder)
    let present = files(names, except: worker)
    // One of which the volume does not say how old it is, is looked at again with the next look.
    var gone = present.filter { (try? lease.hasExpired($0, at: moment)) == true }
    // Who has left and is there again has two files for a moment.
    let own = leftFile(of: worker.text).name
    gone += names.filter { $0.hasSuffix(Members.left) && $0 != own && !names.contains("\($0.dropLast(5)).json") }
      .map { folder.appending($0) }
    var departed: [Member] = []
    for path in gone {
      guard let member = try read(path), member.filter == filter, member.broker == broker else { continue }
      departed.append(member)
    }
    return departed
  }

  /// Whether any member of `filter` at `broker`, other than `worker`, is there, or comes back.
  func hasOthers(filter: String, broker: String, except worker: WorkerID) throws(VolumeError) -> Bool {
    let moment = try lease.clock.now()
    for path in try files(DurableFile.names(in: folder), except: worker) {
      guard let member = try read(path), member.filter == filter, member.broker == broker else { continue }
      if (try? isGone(member, path, at: moment)) != true { return true }
    }
    return false
  }

  /// Those of `names` that are of members which have not left.
  private func files(_ names: [String], except worker: WorkerID) -> [VolumePath] {
    let own = file(of: worker.text).name
    return names.filter { $0.hasSuffix(".json") && $0 != own }.map { folder.appending($0) }
  }

  /// The right to empty the session of a departed member; exclusive, `nil` when another worker has it.
  package func adopt(_ member: Member) throws(VolumeError) -> Adoption? {
    let path = folder.appending("\(member.worker).adoption")
    if let stale = try KnownFile.read(path, .setAside), try lease.hasExpired(path) { try stale.remove() }
    guard let file = try DurableFile.create(path, []) else { return nil }
    let adoption = try Adoption(member, self, path, file)
    // It may have come back, or have been adopted by another, since it was found.
    guard let now = try self.member(member.worker), now.process == member.process,
      try isGone(now, self.file(of: member.worker))
    else {
      try adoption.abandon()
      return nil
    }
    return adoption
  }

  private func isGone(_ member: Member, _ path: VolumePath, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    if member.state == .left { return true }
    return try lease.hasExpired(path, at: moment)
  }

  package func write(_ member: Member, _ path: VolumePath) throws(VolumeError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let text = try? encoder.encode(member) else { throw VolumeError("encoding", path, .invalidArgument) }
    let bytes = Array(text) + [UInt8(ascii: "\n")]
    // What must outlast a power failure is which session the broker holds, so that it can be adopted.
    let former = try read(path)
    let isOfSameSession = former?.isOfSameSession(as: member) == true && former?.epoch == member.epoch
    try isOfSameSession ? DurableFile.rewrite(path, bytes) : DurableFile.replace(path, bytes)
  }

  /// Says of `member`, whose file is at `path`, that it does not come back.
  func leave(_ member: Member, _ path: VolumePath) throws(VolumeError) {
    let left = leftFile(of: member.worker)
    // Another worker may have taken it for a dead one's and removed it, but the session lives.
    if try !DurableFile.move(path, to: left) { try write(member, left) }
  }

  private func read(_ path: VolumePath) throws(VolumeError) -> Member? {
    // Anybody may have written it: files are made and removed, and sessions taken over, by what it says.
    guard let bytes = try KnownFile.read(path, .setAside)?.bytes, var member = Member(json: bytes),
      (try? JobID(member.worker)) != nil
    else { return nil }
    if path == leftFile(of: member.worker) {
      member.state = .left
    } else if path != file(of: member.worker) {
      return nil
    }
    return member
  }

  /// The ending of its file's name once a worker has left. It is no worker's `.json`, whatever dots its id has.
  private static let left = ".left"

  func file(of worker: String) -> VolumePath { folder.appending("\(worker).json") }

  func leftFile(of worker: String) -> VolumePath { folder.appending("\(worker)\(Members.left)") }
}

extension Ledger {
  /// The members of this worker's kind whose sessions somebody must empty. Without `$share` every member has its own copy
  /// of each message, so that only a worker which is alone takes over what another left.
  package func departedMembers(at broker: String) throws(VolumeError) -> [Member] {
    guard let filter else { return [] }
    let departed = try members.departed(filter: filter, broker: broker, except: worker.id)
    guard !departed.isEmpty, !filter.hasPrefix("$share/") else { return departed }
    return try members.hasOthers(filter: filter, broker: broker, except: worker.id) ? [] : departed
  }

  /// Who has a session with the broker.
  package var members: Members {
    Members(folder: directory.members, lease: lease)
  }
}
