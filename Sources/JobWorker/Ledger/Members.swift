private import FoundationEssentials
import SystemPackage

/// A worker that has a session with the broker, and so a share of its group's messages.
public struct Member: Codable, Sendable {
  /// Whether the worker comes back for what its session holds.
  public enum State: String, Codable, Sendable {
    /// It listens.
    case present
    /// Its process ended after a job, and the next one is expected.
    case away
    /// It was told to stop: somebody else must empty its session.
    case left
  }

  /// The worker's id.
  public var worker: String
  /// The MQTT client id of its durable session.
  public var clientId: String
  /// The topic filter that the session is subscribed to.
  public var filter: String
  /// The broker, as `host:port`.
  public var broker: String
  /// Its process.
  public var process: ProcessIdentity
  /// Whether it comes back.
  public var state: State
  /// The session's, by which what the broker sends again is known; `nil` in files of version 0.1.
  public var epoch: String?

  /// A member that is present.
  public init(worker: String, clientId: String, filter: String, broker: String, process: ProcessIdentity = .current) {
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
  public func isOfSameSession(as other: Member) -> Bool {
    worker == other.worker && clientId == other.clientId && filter == other.filter && broker == other.broker
  }
}

/// Who has a session with the broker: a file for each worker, leased like a claim.
public struct Members: Sendable {
  let folder: VolumePath
  let lease: Lease

  /// Writes this worker's file and touches it every third of the lease until the membership ends.
  public func join(_ member: Member) throws(VolumeError) -> Membership {
    try DurableFile.makeFolder(folder)
    let path = file(of: member.worker)
    try write(member, path)
    do {
      return try Membership(member, self, path)
    } catch  where error.cause.saysGone {
      // Another worker took the membership of an earlier life for a dead one's, and finished that only now.
      try write(member, path)
      return try Membership(member, self, path)
    }
  }

  /// What the file of `worker` says; `nil` if there is none.
  public func member(_ worker: WorkerID) throws(VolumeError) -> Member? {
    try read(file(of: worker.text))
  }

  /// Those that have a file.
  public var workers: [WorkerID] {
    get throws(VolumeError) {
      try DurableFile.names(in: folder).filter { $0.hasSuffix(".json") }.compactMap {
        WorkerID(String($0.dropLast(5)), host: "")
      }
    }
  }

  /// Whether another live process bears the id `worker`: it is watched for a lease, unless it has certainly ended.
  /// The watch ends, with no, when `isWatching` says so.
  public func isInUse(_ worker: WorkerID, while isWatching: () -> Bool = { true }) async throws -> Bool {
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
      // The time comes before what is written.
      try await Task.sleep(for: .milliseconds(20))
      return try read(path)?.state == .present
    }
    return false
  }

  /// The members of `filter` at `broker`, other than `worker`, that are dead or have left.
  ///
  /// Every worker that waits looks for them all the time: the files of those that are there are not read.
  func departed(filter: String, broker: String, except worker: WorkerID) throws(VolumeError) -> [Member] {
    let moment = try lease.clock.now()
    var departed: [Member] = []
    // One of which the volume does not say how old it is, is looked at again with the next look.
    for path in try files(except: worker) where (try? lease.hasExpired(path, at: moment)) == true {
      guard let member = try read(path), member.filter == filter, member.broker == broker else { continue }
      departed.append(member)
    }
    return departed
  }

  /// Whether any member of `filter` at `broker`, other than `worker`, is there, or comes back.
  func hasOthers(filter: String, broker: String, except worker: WorkerID) throws(VolumeError) -> Bool {
    let moment = try lease.clock.now()
    for path in try files(except: worker) {
      guard let member = try read(path), member.filter == filter, member.broker == broker else { continue }
      if (try? isGone(member, path, at: moment)) != true { return true }
    }
    return false
  }

  private func files(except worker: WorkerID) throws(VolumeError) -> [VolumePath] {
    let own = "\(worker).json"
    return try DurableFile.names(in: folder).filter { $0.hasSuffix(".json") && $0 != own }.map { folder.appending($0) }
  }

  /// The right to empty the session of a departed member; exclusive, `nil` when another worker has it.
  public func adopt(_ member: Member) throws(VolumeError) -> Adoption? {
    let path = folder.appending("\(member.worker).adoption")
    if let stale = try KnownFile.read(path, .setAside), try lease.hasExpired(path) { try stale.remove() }
    guard let file = try DurableFile.create(path, []) else { return nil }
    let adoption = try Adoption(member, self, path, file)
    // It may have come back, or have been adopted by another, since it was found.
    let place = self.file(of: member.worker)
    guard let now = try read(place), now.process == member.process, try isGone(now, place) else {
      try adoption.abandon()
      return nil
    }
    return adoption
  }

  private func isGone(_ member: Member, _ path: VolumePath, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    if member.state == .left { return true }
    return try lease.hasExpired(path, at: moment)
  }

  func write(_ member: Member, _ path: VolumePath) throws(VolumeError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let text = try? encoder.encode(member) else { throw VolumeError("encoding", path, .invalidArgument) }
    let padding = [UInt8](repeating: UInt8(ascii: " "), count: max(0, DurableFile.sector - 1 - text.count))
    let bytes = Array(text) + padding + [UInt8(ascii: "\n")]
    // What must outlast a power failure is which session the broker holds, so that it can be adopted.
    let former = try read(path)
    let isOfSameSession = former?.isOfSameSession(as: member) == true && former?.epoch == member.epoch
    switch member.state {
    case .present, .away:
      if isOfSameSession, try DurableFile.overwrite(path, bytes) { return }
      try isOfSameSession ? DurableFile.rewrite(path, bytes) : DurableFile.replace(path, bytes)
    // Who looks for departed members sees at its time alone that it is one: a file that nobody touches any more.
    case .left: try DurableFile.replace(path, bytes, .outdated)
    }
  }

  func read(_ path: VolumePath) throws(VolumeError) -> Member? {
    // It may be read while it is written over.
    for _ in 0..<2 {
      guard let bytes = try KnownFile.read(path, .setAside)?.bytes else { return nil }
      // Anybody may have written it: files are made and removed, and sessions taken over, by what it says.
      if let member = Member(json: bytes) { return isOfItsName(member, path) ? member : nil }
    }
    return nil
  }

  private func isOfItsName(_ member: Member, _ path: VolumePath) -> Bool {
    (try? JobID(member.worker)) != nil && path == file(of: member.worker)
  }

  func file(of worker: String) -> VolumePath { folder.appending("\(worker).json") }
}

extension Ledger {
  /// The members of this worker's kind whose sessions somebody must empty. Without `$share` every member has its own copy
  /// of each message, so that only a worker which is alone takes over what another left.
  public func departedMembers(at broker: String) throws(VolumeError) -> [Member] {
    guard let filter else { return [] }
    let departed = try members.departed(filter: filter, broker: broker, except: worker.id)
    guard !departed.isEmpty, !filter.hasPrefix("$share/") else { return departed }
    return try members.hasOthers(filter: filter, broker: broker, except: worker.id) ? [] : departed
  }

  /// Who has a session with the broker.
  public var members: Members {
    Members(folder: directory.members, lease: lease)
  }
}
