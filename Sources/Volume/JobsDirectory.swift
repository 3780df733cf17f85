private import Glibc
package import Jobs
package import SystemPackage

/// The shared volume. Every name that a worker uses on it is spelled here, once.
package struct JobsDirectory: Sendable {
  /// The `--jobs-dir`.
  package let path: FilePath

  /// The volume at `path`; nothing is looked up or made.
  package init(_ path: FilePath) {
    self.path = path
  }

  /// The same, for what lies below it.
  package var top: VolumePath { VolumePath(path) }

  /// The names at the top of a job folder that are never staged.
  package static let reserved: Set<String> = [results, previousResults, workerState]
  package static let results = "results"
  static let previousResults = "results.previous"
  static let workerState = ".worker"
  package static let definition = "job.json"
  package static let result = "result.json"

  /// Where a job's definition and sources lie.
  package func folder(of id: JobID) -> VolumePath { top.appending(id.text) }

  /// The name of a step's log in results/.
  package static func logName(_ step: Int) -> String { "step_\(step).log" }

  /// The step that a name in results/ is the log of; `nil` for other names.
  package static func step(ofLog name: String) -> Int? {
    guard name.hasPrefix("step_"), name.hasSuffix(".log"), let step = Int(name.dropFirst(5).dropLast(4)),
      name == logName(step)
    else { return nil }
    return step
  }

  /// While this file exists no new job is taken. Its first line is the reason.
  package var killSwitch: VolumePath { top.appending(JobID.killSwitch) }

  /// Why no job is taken: the first line of the kill switch, at most 200 characters of it, with everything that does not
  /// print escaped. `nil` when it is not there; one that cannot be read, or says nothing, is there all the same.
  package var haltReason: String? {
    do throws(Errno) {
      if try !isKillSwitch(killSwitch.status()) { return nil }
    } catch {
      // In doubt it is there.
      if error == .noSuchFileOrDirectory { return nil }
    }
    let bytes = try? DurableFile.read(killSwitch, limit: 1 << 20)
    let line = String(decoding: (bytes ?? []).prefix { $0 != UInt8(ascii: "\n") }.prefix(4096), as: UTF8.self)
    var reason = line.drop(while: \.isWhitespace)
    while reason.last?.isWhitespace == true { reason.removeLast() }
    return reason.isEmpty ? "no reason is given" : String(reason).escaped(upTo: 200)
  }

  /// Whether something that halts nobody bears the kill switch's name.
  var hasOddKillSwitch: Bool {
    guard let status = try? killSwitch.status() else { return false }
    return !isKillSwitch(status)
  }

  /// Nothing but a regular file was meant as one.
  private func isKillSwitch(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFREG }

  /// Whether there is anything where the folder of `id` should be. Opening the folder above makes a network file system
  /// forget that a moment ago there was nothing (nfs(5), close-to-open).
  package func exists(_ id: JobID) -> Bool {
    try? top.open(O_RDONLY | O_DIRECTORY).close()
    return DurableFile.exists(folder(of: id))
  }

  /// What workers tell each other.
  package var state: VolumePath { top.appending(JobsDirectory.workerState) }

  package var claims: VolumePath { state.appending("claims") }
  /// Signed requests that were begun.
  package var seen: VolumePath { state.appending("seen") }
  package var members: VolumePath { state.appending("members") }
  package var audit: VolumePath { state.appending("audit") }
  /// A file a worker, touched to read the volume's clock.
  package var clocks: VolumePath { state.appending("clocks") }

  /// The tickets of one kind of workers: those that listen to `filter`.
  package func waitingRoom(of filter: String) -> VolumePath {
    waiting.appending(FilterName(filter).text)
  }

  /// The requests to one kind of workers that wait for approval.
  package func parkingRoom(of filter: String) -> VolumePath {
    parked.appending(FilterName(filter).text)
  }

  /// The results of one kind of workers that the broker does not take.
  package func undelivered(of filter: String) -> VolumePath {
    undelivered.appending(FilterName(filter).text)
  }

  /// A folder of undelivered results for each kind of workers.
  package var undelivered: VolumePath { state.appending("undelivered") }
  /// A folder of tickets for each kind of workers.
  package var waiting: VolumePath { state.appending("waiting") }
  /// A folder of parked requests for each kind of workers.
  package var parked: VolumePath { state.appending("parked") }

  /// All claims of `id`, or of every job, lowest attempt first.
  package func claimFiles(of id: JobID? = nil, _ odd: DurableFile.OddEntries) throws(VolumeError) -> [ClaimFile] {
    var files: [ClaimFile] = []
    for name in try claimNames(of: id) {
      if let file = try ClaimFile.read(name, odd) { files.append(file) }
    }
    return files
  }

  /// As ``claimFiles(of:)``, by their names only.
  func claimNames(of id: JobID? = nil) throws(VolumeError) -> [ClaimName] {
    var found: [ClaimName] = []
    for name in try DurableFile.names(in: claims) {
      guard let (job, attempt) = JobsDirectory.parseClaimName(name), id == nil || job == id else { continue }
      found.append(ClaimName(path: claims.appending(name), id: job, attempt: attempt))
    }
    return found.sorted { $0.attempt < $1.attempt }
  }

  func auditLog(of worker: WorkerID) -> VolumePath { audit.appending("\(worker).jsonl") }

  /// No job has so many; a larger number is nothing that a worker wrote.
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

/// What a folder is called that belongs to the workers of one topic filter.
///
/// It is the filter, percent-encoded. A file name has at most 255 bytes (`NAME_MAX`, limits.h); of a longer one the beginning is
/// kept, with `~` and the filter's digest behind it, and the filter stands in `.worker/filters/<digest>`. No encoded filter has
/// a `~`.
struct FilterName {
  package let text: String
  private static let longest = 255

  init(_ filter: String) {
    let encoded = percentEncoded(filter)
    guard encoded.utf8.count > FilterName.longest else {
      text = encoded
      return
    }
    let digest = digestText(of: Array(filter.utf8)).dropFirst("sha256:".utf8.count)
    text = FilterName.whole(encoded.prefix(FilterName.longest - 1 - digest.utf8.count)) + "~" + digest
  }

  /// Less what is left of a `%XX` that was cut.
  private static func whole(_ encoded: Substring) -> Substring {
    encoded.suffix(2).lastIndex(of: "%").map { encoded[..<$0] } ?? encoded
  }

  /// The digest in a name that was shortened; `nil` for others.
  fileprivate static func digest(in name: String) -> String? {
    name.firstIndex(of: "~").map { String(name[name.index(after: $0)...]) }
  }
}

extension JobsDirectory {
  /// The filters whose folders have a shortened name.
  private var filters: VolumePath { state.appending("filters") }

  /// Writes down which filter a shortened name means, for those who look at the volume. Workers know theirs, and do without.
  func writeDown(_ filter: String) {
    let name = FilterName(filter).text
    guard let digest = FilterName.digest(in: name), self.filter(ofFolder: name) != filter else { return }
    try? DurableFile.makeFolder(filters)
    try? DurableFile.replace(filters.appending(digest), Array(filter.utf8))
  }

  /// The filter that a folder's name means; of a shortened one that nobody wrote down, how it begins.
  package func filter(ofFolder name: String) -> String {
    guard let digest = FilterName.digest(in: name) else { return percentDecoded(name) }
    // Anybody may have written it.
    if let bytes = try? DurableFile.read(filters.appending(digest), limit: 1 << 16),
      let filter = String(validating: bytes, as: UTF8.self), FilterName(filter).text == name
    {
      return filter
    }
    return percentDecoded(String(name.prefix { $0 != "~" })) + "…"
  }
}

/// Text as one path component: every byte but letters, digits, `-` and `_` becomes `%XX`.
private func percentEncoded(_ text: String) -> String {
  var encoded = ""
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      encoded.unicodeScalars.append(Unicode.Scalar(byte))
    default:
      let digits = String(byte, radix: 16, uppercase: true)
      encoded += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
    }
  }
  return encoded
}

/// The text with every `%XX` as the byte that it stands for; a `%` that is followed by anything else stays.
package func percentDecoded(_ name: String) -> String {
  var bytes: [UInt8] = []
  var rest = Array(name.utf8)[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "%"), rest.count >= 2,
      let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
    {
      bytes.append(value)
      rest = rest.dropFirst(2)
    } else {
      bytes.append(byte)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
