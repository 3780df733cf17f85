package import Jobs
import SystemPackage

/// The workers with a session at the broker: a file for each, `<worker>.json`, with a lease like a claim. A worker that
/// leaves renames it to `<worker>.left`, so that others find departed workers without reading all files. A worker with
/// several topic filters has a further file for each after the first: `<worker>~<mark>.json`.
package struct Members: Sendable {
  let folder: VolumePath
  let lease: Lease

  /// Writes this worker's file and touches it every third of the lease until the membership ends.
  package func join(_ member: Member) throws(VolumeError) -> Membership {
    try DurableFile.makeFolder(folder)
    let path = file(of: member.name)
    try write(member, path)
    // While both exist, the `.json` counts.
    try DurableFile.remove(leftFile(of: member.name))
    do {
      return try Membership(member, self, path)
    } catch  where error.cause.saysGone {
      // Another worker has just removed the file as that of a dead process.
      try write(member, path)
      return try Membership(member, self, path)
    }
  }

  /// The member `worker`, with the session of its first topic filter or of the one with `mark`; `nil` if it has no file.
  package func member(_ worker: WorkerID, _ mark: String? = nil) throws(VolumeError) -> Member? {
    try member(SessionName.marked(worker.text, mark))
  }

  private func member(_ name: String) throws(VolumeError) -> Member? {
    // It may leave, or come back, between two reads.
    for path in [file(of: name), leftFile(of: name), file(of: name)] {
      if let member = try read(path) { return member }
    }
    return nil
  }

  /// The workers that have a file and have not left.
  package var workers: [WorkerID] {
    get throws(VolumeError) {
      try DurableFile.names(in: folder).filter { $0.hasSuffix(".json") }.compactMap {
        WorkerID(String($0.dropLast(5)), host: "")
      }
    }
  }

  /// Whether another live process uses the id `worker`: observes its file for a lease, unless the process has certainly
  /// ended. Returns false as soon as `isWatching` does.
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
      // An error is no answer: try again.
      do { now = try lease.clock.touched(path) } catch { continue }
      guard let now else { return false }
      guard now != before else { continue }
      return try read(path)?.state == .present
    }
    return false
  }

  /// The members of `filter` at `broker` that are dead or have left, without `worker` and its sessions with `marks`.
  /// Its sessions with other marks are those of topic filters that it no longer has: whatever their filter is, they
  /// have departed.
  ///
  /// Files of live members are not read. A file of version 0.1 with ``Member/State/left`` is found when its lease has
  /// expired.
  func departed(filter: String, broker: String, except worker: WorkerID, _ marks: [String] = []) throws(VolumeError)
    -> [Member]
  {
    let moment = try lease.clock.now()
    let current = [worker.text] + marks.map { SessionName.marked(worker.text, $0) }
    let names = try retired(DurableFile.names(in: folder), of: worker, except: current)
    let present = files(names, except: worker)
    // If the volume does not tell its age, the next scan checks it again.
    var gone = present.filter { (try? lease.hasExpired($0, at: moment)) == true }
    // A worker that has come back has two files for a moment.
    let own = current.map { leftFile(of: $0).name }
    gone += names.filter {
      $0.hasSuffix(Members.left) && !own.contains($0) && !names.contains("\($0.dropLast(5)).json")
    }.map { folder.appending($0) }
    var departed: [Member] = []
    for path in gone {
      guard let member = try read(path), member.broker == broker,
        member.filter == filter || member.worker == worker.text
      else { continue }
      departed.append(member)
    }
    return departed
  }

  /// Renames the files of the worker's sessions that are none of `current` as if it had left them, and returns the names
  /// of all files after that.
  private func retired(_ names: [String], of worker: WorkerID, except current: [String]) throws(VolumeError) -> [String]
  {
    let former = names.filter { $0.hasPrefix(SessionName.marked(worker.text, "")) && $0.hasSuffix(".json") }
      .map { String($0.dropLast(5)) }.filter { !current.contains($0) }
    guard !former.isEmpty else { return names }
    for name in former { _ = try DurableFile.move(file(of: name), to: leftFile(of: name)) }
    return try DurableFile.names(in: folder)
  }

  /// Whether another member of `filter` at `broker` than `worker` is present or comes back.
  func hasOthers(filter: String, broker: String, except worker: WorkerID) throws(VolumeError) -> Bool {
    let moment = try lease.clock.now()
    for path in try files(DurableFile.names(in: folder), except: worker) {
      guard let member = try read(path), member.filter == filter, member.broker == broker else { continue }
      if (try? isGone(member, path, at: moment)) != true { return true }
    }
    return false
  }

  /// The paths of `names` whose members have not left.
  private func files(_ names: [String], except worker: WorkerID) -> [VolumePath] {
    let (own, further) = (file(of: worker.text).name, SessionName.marked(worker.text, ""))
    return names.filter { $0.hasSuffix(".json") && $0 != own && !$0.hasPrefix(further) }.map { folder.appending($0) }
  }

  /// The exclusive right to empty the session of a departed member; `nil` if another worker has it.
  package func adopt(_ member: Member) throws(VolumeError) -> Adoption? {
    let path = adoptionFile(of: member.name)
    if let stale = try KnownFile.read(path, .setAside), try lease.hasExpired(path) { try stale.remove() }
    guard let file = try DurableFile.create(path, []) else { return nil }
    let adoption: Adoption
    do {
      adoption = try Adoption(member, self, path, file)
    } catch {
      try? file.close()
      throw error
    }
    // Since it was found it may have come back, or another worker may have adopted it.
    guard let now = try self.member(member.name), now.process == member.process,
      try isGone(now, self.file(of: member.name))
    else {
      try adoption.abandon()
      return nil
    }
    return adoption
  }

  /// Whether another worker takes `member`, of this process, for dead: it empties the session, or has done so and removed
  /// the member's file.
  func isAdopted(_ member: Member) throws(VolumeError) -> Bool {
    if DurableFile.exists(adoptionFile(of: member.name)) { return true }
    return try read(file(of: member.name)) == nil
  }

  private func isGone(_ member: Member, _ path: VolumePath, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    if member.state == .left { return true }
    return try lease.hasExpired(path, at: moment)
  }

  package func write(_ member: Member, _ path: VolumePath) throws(VolumeError) {
    let bytes = try DurableFile.line(member, for: path)
    // The session must survive a power failure, so that another worker can adopt it.
    let former = try read(path)
    let isOfSameSession = former?.isOfSameSession(as: member) == true && former?.epoch == member.epoch
    try isOfSameSession ? DurableFile.rewrite(path, bytes) : DurableFile.replace(path, bytes)
  }

  /// Marks `member`, whose file is at `path`, as departed.
  func leave(_ member: Member, _ path: VolumePath) throws(VolumeError) {
    let left = leftFile(of: member.name)
    // Another worker may have removed it as that of a dead process, but the session exists.
    if try !DurableFile.move(path, to: left) { try write(member, left) }
  }

  private func read(_ path: VolumePath) throws(VolumeError) -> Member? {
    // Do not trust it: anybody may have written it, and files and sessions are chosen by its content.
    guard let bytes = try KnownFile.read(path, .setAside)?.bytes, var member = decodedJSON(Member.self, bytes),
      (try? JobID(member.worker)) != nil, member.mark.map({ $0 == SessionName.mark(of: member.filter) }) ?? true
    else { return nil }
    if path == leftFile(of: member.name) {
      member.state = .left
    } else if path != file(of: member.name) {
      return nil
    }
    return member
  }

  /// The extension of a departed member's file. No `.json` of a worker ends so, whatever dots its id has.
  private static let left = ".left"

  func file(of name: String) -> VolumePath { folder.appending("\(name).json") }

  private func adoptionFile(of name: String) -> VolumePath { folder.appending("\(name).adoption") }

  func leftFile(of name: String) -> VolumePath { folder.appending("\(name)\(Members.left)") }
}

extension Ledger {
  /// The departed members of this topic filter whose sessions must be emptied, and this worker's own sessions for topic
  /// filters that it no longer has. Without `$share` every member has its own copy of each message, so only a worker
  /// that is alone takes over another's queue.
  package func departedMembers(at broker: String) throws(VolumeError) -> [Member] {
    guard let filter else { return [] }
    let departed = try members.departed(
      filter: filter, broker: broker, except: worker.id, filters.dropFirst().map(SessionName.mark))
    guard !departed.isEmpty, !filter.hasPrefix("$share/") else { return departed }
    guard try members.hasOthers(filter: filter, broker: broker, except: worker.id) else { return departed }
    return departed.filter { $0.worker == worker.id.text }
  }

  /// The workers with a session at the broker.
  package var members: Members {
    Members(folder: directory.members, lease: lease)
  }
}
