private import CLinux
private import Glibc
package import Jobs
import SystemPackage

/// The regular look at all members and all claims on the volume, which one idle worker makes for all of its kind: those
/// with the same topic filter at the same broker.
///
/// Each kind has a mark, `.worker/rounds/<digest>.json`. Whoever finds that nobody has touched it for a third of a lease
/// touches it and makes the round, so that the volume's work grows with the number of workers, and not with its square.
/// If two begin at once, both look; that does no harm. If the one that began is killed, the next round is a third of a
/// lease later.
///
/// What one has found is in the mark for the others: see ``RoundFindings``.
package struct Rounds: Sendable {
  let ledger: Ledger
  private let mark: VolumePath
  private let memory: WatchedFiles

  /// The rounds of the workers of `ledger.filter` at `broker`.
  package init(_ ledger: Ledger, broker: String) {
    self.ledger = ledger
    let kind = digestText(of: Array("\(broker)\n\(ledger.filter ?? "")".utf8)).dropFirst("sha256:".utf8.count)
    mark = ledger.directory.rounds.appending("\(kind.prefix(32)).json")
    memory = ledger.lease.watched
  }

  /// The jobs that the last round has found without a living worker and that nobody has taken up, in random order, so
  /// that those who are told of them do not all begin with the same.
  package func leftByLast() throws(VolumeError) -> [ClaimFile] {
    let names = findings.abandoned.compactMap(JobsDirectory.parseClaimName)
    return try ledger.abandonedClaims(of: ledger.filter, among: Set(names.map(\.id)).shuffled())
  }

  /// What the last round has found. A mark that cannot be read tells nothing: it is no reason to end.
  private var findings: RoundFindings { RoundFindings((try? KnownFile.read(mark, .setAside))?.bytes) }

  /// Begins a round; `nil` if none is due and this worker need not look by itself.
  package func begin(evenIfNotDue mustLook: Bool = false) throws(VolumeError) -> Round? {
    guard let look = try? ledger.lease.clock.look(mark) else {
      try DurableFile.makeFolder(ledger.directory.rounds)
      write(RoundFindings())
      return Round(rounds: self, before: RoundFindings(), began: linux_time_since_boot())
    }
    let rest = try ledger.lease.rest(of: mark, look)
    // Timers have a tolerance: a worker that is alone must find that its own last round is long enough ago.
    guard mustLook || rest > ledger.leaseDuration / 3 * 0.8 else { return nil }
    let findings = findings
    if let file = try? mark.openFile(O_WRONLY) { try? file.closeAfter { try touch(file) } }
    memory.learn(findings.seen, ago: rest, below: ledger.directory.state)
    return Round(rounds: self, before: findings, began: linux_time_since_boot())
  }

  fileprivate func end(_ round: Round, finding abandoned: [ClaimFile]) {
    let findings = RoundFindings(
      abandoned: abandoned.map(\.path.name), seen: memory.sightings(since: round.began, below: ledger.directory.state))
    // The mark has been touched. A round that finds what the last one found writes nothing.
    guard findings != round.before else { return }
    write(findings)
  }

  /// Writes in place: a mark has many writers, who must not meet at the name of a draft. Whoever reads a half of it finds
  /// nothing there. A mark that cannot be written costs others a round of their own, and nothing else.
  private func write(_ findings: RoundFindings) {
    guard let text = try? DurableFile.line(findings, for: mark),
      let file = try? mark.openFile(O_WRONLY | O_CREAT | O_TRUNC, mode: 0o666)
    else { return }
    _ = try? file.closeAfter { try file.writeAll(text) }
  }
}

/// A round that this worker makes.
package struct Round: Sendable {
  fileprivate let rounds: Rounds
  fileprivate let before: RoundFindings
  fileprivate let began: Int64

  /// The claims of this kind's jobs whose workers are dead. Removes what dead workers have left half done. Tells what it
  /// has found to those who look next.
  package func look() throws(VolumeError) -> [ClaimFile] {
    let ledger = rounds.ledger
    let abandoned = try ledger.abandonedClaims(of: ledger.filter)
    let folders = [
      ledger.directory.claims, ledger.directory.members, ledger.deferredQueue.folder, ledger.parkedQueue.folder,
    ]
    // What cannot be removed now is removed in a later round.
    for folder in folders { try? KnownFile.sweep(folder, ledger.lease) }
    rounds.end(self, finding: abandoned)
    return abandoned
  }
}

/// What a round tells those who look after it.
struct RoundFindings: Codable, Equatable {
  /// The names of the claims whose workers are dead.
  var abandoned: [String] = []
  /// How long each file has been unchanged, by its path below `.worker`, for volumes whose file times cannot be trusted: an
  /// expired lease is noticed although each round is another worker's.
  var seen: [String: Sighting] = [:]

  /// A file's state, and for how many milliseconds it has been seen so.
  struct Sighting: Codable, Equatable {
    var mark: String
    var age: Int64
  }

  init(abandoned: [String] = [], seen: [String: Sighting] = [:]) {
    self.abandoned = abandoned
    self.seen = seen
  }

  /// Nothing is found in a mark that is missing or broken: anybody may have written it.
  init(_ bytes: [UInt8]?) {
    self = bytes.flatMap { decodedJSON(RoundFindings.self, $0) } ?? RoundFindings()
  }
}

extension Ledger {
  /// The newest claim of each job of this worker's topic filters, or of `wanted`, whose holder is dead. Lists and reads
  /// all claims. Removes those of dead dry runs.
  package func abandonedClaims(of wanted: String? = nil) throws(VolumeError) -> [ClaimFile] {
    var newest: [JobID: ClaimFile] = [:]
    for file in try directory.claimFiles(.setAside) where file.attempt > newest[file.id]?.attempt ?? 0 {
      newest[file.id] = file
    }
    return try abandoned(Array(newest.values), of: wanted)
  }

  /// The same, among the claims of these jobs, in their order.
  package func abandonedClaims(of wanted: String? = nil, among ids: [JobID]) throws(VolumeError) -> [ClaimFile] {
    var newest: [ClaimFile] = []
    for id in ids {
      if let last = try claimFiles(of: id).last { newest.append(last) }
    }
    return try abandoned(newest, of: wanted)
  }

  private func abandoned(_ files: [ClaimFile], of wanted: String?) throws(VolumeError) -> [ClaimFile] {
    guard !files.isEmpty else { return [] }
    let moment = try lease.clock.now()
    let kinds = wanted.map { [$0] } ?? filters
    return files.filter { file in
      if file.isOfDryRun {
        // Nobody goes on with a dry run, whose claim would keep requests from the job.
        if (try? isOfDeadDryRun(file)) == true { _ = try? file.file.remove() }
        return false
      }
      // If the volume does not tell its age, the next look checks it again.
      return file.record?.filter.map(kinds.contains) ?? true && (try? isAbandoned(file, at: moment)) == true
    }
  }

  /// A dry run may be stopped and continued at any time, as at a terminal: it is dead if its process is, or, where that
  /// cannot be seen, after a day without a touch.
  private func isOfDeadDryRun(_ file: ClaimFile) throws(VolumeError) -> Bool {
    guard let process = file.record?.process else { return false }
    if process.isVisible { return process.hasEnded }
    guard let look = try lease.clock.look(file.path) else { return false }
    return try lease.rest(of: file.path, look) > .seconds(86400)
  }
}
