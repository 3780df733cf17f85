import Glibc
package import Jobs
import SystemPackage

/// A claim's file name, parsed.
package struct ClaimName: Sendable {
  package let path: VolumePath
  package let id: JobID
  package let attempt: Int
}

/// The claims of one job are found by their names, however many other jobs have claims: the first attempt's, then the
/// next one's, and so on. While a run is in progress, its first attempt has a claim.
extension JobsDirectory {
  /// A claim that this user may not read.
  enum UnreadableClaim {
    /// It is left out, and told if odd entries are set aside. Its name is taken: its job waits until somebody gives the right
    /// or removes it.
    case skipped
    /// It throws.
    case fatal
  }

  /// The claims of `id` that can be read, lowest attempt first.
  package func claimFiles(of id: JobID, _ odd: DurableFile.OddEntries) throws(VolumeError) -> [ClaimFile] {
    try claimFiles(of: id, from: 1, odd, .skipped)
  }

  /// The claims of `id` with this attempt or a higher one. Attempt 2 is looked for even without attempt 1, which a release
  /// removes first.
  func claimFiles(
    of id: JobID, from first: Int, _ odd: DurableFile.OddEntries, _ unreadable: UnreadableClaim
  ) throws(VolumeError) -> [ClaimFile] {
    try openClaims()
    var files: [ClaimFile] = []
    var unreadableOnes = 0
    for attempt in first...JobsDirectory.mostAttempts {
      let rule = unreadableOnes < JobsDirectory.mostUnreadable ? unreadable : .fatal
      switch try read(claimName(of: id, attempt), odd, rule) {
      case .file(let file): files.append(file)
      case .unreadable: unreadableOnes += 1
      case .none: if attempt > 1 { return files }
      }
    }
    return files
  }

  /// If the folder itself may not be searched, every name looks unreadable: give up after this many.
  private static let mostUnreadable = 20

  enum Found {
    case file(ClaimFile)
    case unreadable, none
  }

  func read(
    _ name: ClaimName, _ odd: DurableFile.OddEntries, _ unreadable: UnreadableClaim
  ) throws(VolumeError) -> Found {
    do throws(VolumeError) {
      return try ClaimFile.read(name, odd).map(Found.file) ?? .none
    } catch {
      guard error.isOfRights, unreadable == .skipped else { throw error }
      if odd == .setAside { DurableFile.tellUnreadable(name.path, error.cause) }
      return .unreadable
    }
  }

  /// The number of attempts of `id` that did not begin.
  package func unbegunAttempts(of id: JobID) throws(VolumeError) -> Int {
    try claimFiles(of: id, .passOver).count { $0.record?.attempt == 0 }
  }

  /// Opens the folder: a network file system then drops its cached answer that there is no such name in it (nfs(5),
  /// close-to-open).
  private func openClaims() throws(VolumeError) {
    let folder: FileDescriptor
    do throws(Errno) {
      folder = try claims.open(O_RDONLY | O_DIRECTORY)
    } catch {
      guard error.saysGone else { throw VolumeError("opening", claims, error) }
      return
    }
    try? folder.close()
  }

  func claimName(of id: JobID, _ attempt: Int) -> ClaimName {
    ClaimName(path: claims.appending(JobsDirectory.claimName(id, attempt)), id: id, attempt: attempt)
  }

  /// The claims of all jobs that can be read, lowest attempt first.
  package func claimFiles(_ odd: DurableFile.OddEntries) throws(VolumeError) -> [ClaimFile] {
    var files: [ClaimFile] = []
    for name in try claimNames() {
      if case .file(let file) = try read(name, odd, .skipped) { files.append(file) }
    }
    return files
  }

  /// As ``claimFiles(_:)``, but only the names.
  func claimNames() throws(VolumeError) -> [ClaimName] {
    var found: [ClaimName] = []
    for name in try DurableFile.names(in: claims) {
      guard let (job, attempt) = JobsDirectory.parseClaimName(name) else { continue }
      found.append(claimName(of: job, attempt))
    }
    return found.sorted { $0.attempt < $1.attempt }
  }

  /// Whether the folder of claims has no entry of `id`, readable or not.
  package func hasNoClaim(of id: JobID) throws(VolumeError) -> Bool { try !claimNames().contains { $0.id == id } }

  /// The largest attempt; no worker writes a larger one.
  static let mostAttempts = 1_000_000

  static func claimName(_ id: JobID, _ attempt: Int) -> String { "\(id).\(attempt).json" }

  /// The job and the attempt in a claim's file name; ids may hold dots, attempts are digits.
  static func parseClaimName(_ name: String) -> (id: JobID, attempt: Int)? {
    guard name.hasSuffix(".json") else { return nil }
    let stem = name.dropLast(5)
    guard let dot = stem.lastIndex(of: "."), let attempt = Int(stem[stem.index(after: dot)...]),
      1...mostAttempts ~= attempt,
      let id = try? JobID(String(stem[..<dot])), name == claimName(id, attempt)
    else { return nil }
    return (id, attempt)
  }
}
