private import Glibc
package import Jobs
package import SystemPackage

/// The shared volume. The names of its folders, and of what a job's folder gets, are defined here, once; names of files in
/// the folders of `.worker` where they are written.
package struct JobsDirectory: Sendable {
  /// The `--jobs-dir`.
  package let path: FilePath

  /// The volume at `path`; reads and writes nothing.
  package init(_ path: FilePath) {
    self.path = path
  }

  /// The same, as the root of the paths below it.
  package var top: VolumePath { VolumePath(path) }

  /// The names at the top of a job folder that are never staged.
  package static let reserved: Set<String> = [results, previousResults, workerState]
  package static let results = "results"
  package static let previousResults = "results.previous"
  static let workerState = ".worker"
  package static let definition = "job.json"
  package static let result = "result.json"

  /// The folder with a job's definition and sources.
  package func folder(of id: JobID) -> VolumePath { top.appending(id.text) }

  /// The name of a step's log in results/.
  package static func logName(_ step: Int) -> String { "step_\(step).log" }

  /// The path of a step's log in the job's folder.
  package static func logPath(_ step: Int) -> String { "\(results)/\(logName(step))" }

  /// The step of a log's name in results/; `nil` for other names.
  package static func step(ofLog name: String) -> Int? {
    guard name.hasPrefix("step_"), name.hasSuffix(".log"), let step = Int(name.dropFirst(5).dropLast(4)),
      name == logName(step)
    else { return nil }
    return step
  }

  /// While this file exists, workers take no new job. Its first line is the reason.
  package var killSwitch: VolumePath { top.appending(JobID.killSwitch) }

  /// Throws ``VolumeError`` if there is no jobs folder.
  func check() throws(VolumeError) {
    try onVolume("opening the jobs folder", path) { () throws(Errno) in
      var status = stat()
      guard stat(path.string, &status) == 0 else { throw Errno(rawValue: errno) }
      guard status.st_mode & S_IFMT == S_IFDIR else { throw .notDirectory }
    }
  }

  /// Makes the folders in which claims, audit logs, clocks and marks lie. Throws ``VolumeError`` if this process cannot write
  /// there.
  func makeState() throws(VolumeError) {
    try DurableFile.ensureFolder(state)
    for folder in [claims, clocks, audit] {
      try DurableFile.makeFolder(folder)
      try onVolume("writing to", folder) { () throws(Errno) in try folder.checkWritable() }
    }
    // Whoever cancels a job may be another user, whose folder no worker could remove a mark from.
    try DurableFile.makeFolder(canceled)
  }

  /// Whether a small file has room on the volume.
  package var hasRoom: Bool {
    let probe = clocks.appending(".\(DurableFile.nonce)")
    let file = try? DurableFile.create(probe, [UInt8](repeating: 0, count: 4096))
    try? file?.close()
    _ = try? DurableFile.remove(probe)
    return file != nil
  }

  /// Opens the jobs folder: a network file system then drops its cached answer that there is no such name in it (nfs(5),
  /// close-to-open).
  func refresh() {
    try? top.open(O_RDONLY | O_DIRECTORY).close()
  }

  /// Whether there is an entry at the path of the folder of `id`.
  package func exists(_ id: JobID) -> Bool {
    refresh()
    return DurableFile.exists(folder(of: id))
  }

  /// The folder of the workers' shared state.
  package var state: VolumePath { top.appending(JobsDirectory.workerState) }

  package var claims: VolumePath { state.appending("claims") }
  /// The mark of the last round of each kind of worker.
  package var rounds: VolumePath { state.appending("rounds") }
  /// Signed requests that were started.
  package var seen: VolumePath { state.appending("seen") }
  package var members: VolumePath { state.appending("members") }
  package var audit: VolumePath { state.appending("audit") }
  /// A file for each worker, touched to read the volume's clock.
  package var clocks: VolumePath { state.appending("clocks") }

  /// The deferred requests for the workers of `filter`.
  package func deferredFolder(of filter: String) -> VolumePath {
    waiting.appending(FilterName(filter).text)
  }

  /// The requests for the workers of `filter` that wait for approval.
  package func parkedFolder(of filter: String) -> VolumePath {
    parked.appending(FilterName(filter).text)
  }

  /// The results of the workers of `filter` that the broker refused.
  package func undelivered(of filter: String) -> VolumePath {
    undelivered.appending(FilterName(filter).text)
  }

  /// A folder of undelivered results for each topic filter.
  package var undelivered: VolumePath { state.appending("undelivered") }
  /// A folder of deferred requests for each topic filter.
  package var waiting: VolumePath { state.appending("waiting") }
  /// A folder of parked requests for each topic filter.
  package var parked: VolumePath { state.appending("parked") }

  func auditLog(of worker: WorkerID) -> VolumePath { audit.appending("\(worker).jsonl") }
}

/// The name of the folder for the workers of a topic filter.
///
/// It is the filter, percent-encoded. A file name has at most 255 bytes (`NAME_MAX`, limits.h): a longer one is cut and
/// gets `~` and the filter's digest, and `.worker/filters/<digest>` holds the filter. No encoded filter has a `~`.
struct FilterName {
  let text: String
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

  /// Without the rest of a cut `%XX`.
  private static func whole(_ encoded: Substring) -> Substring {
    encoded.suffix(2).lastIndex(of: "%").map { encoded[..<$0] } ?? encoded
  }

  /// The digest in a shortened name; `nil` for others.
  fileprivate static func digest(in name: String) -> String? {
    name.firstIndex(of: "~").map { String(name[name.index(after: $0)...]) }
  }
}

extension JobsDirectory {
  /// The folder of the filters with shortened names.
  private var filters: VolumePath { state.appending("filters") }

  /// Writes the filter of a shortened name to the volume, for people and clients. Workers know their own.
  func writeDown(_ filter: String) {
    let name = FilterName(filter).text
    guard let digest = FilterName.digest(in: name), self.filter(ofFolder: name) != filter else { return }
    try? DurableFile.makeFolder(filters)
    try? DurableFile.replace(filters.appending(digest), Array(filter.utf8))
  }

  /// The filter of a folder's name; only its beginning if the name is shortened and nobody has written the filter down.
  package func filter(ofFolder name: String) -> String {
    guard let digest = FilterName.digest(in: name) else { return percentDecoded(name) }
    // Do not trust it: anybody may have written it.
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
      encoded += "%\(String(hexadecimal: [byte]).uppercased())"
    }
  }
  return encoded
}

/// The text with every `%XX` decoded; a `%` before anything else stays.
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
