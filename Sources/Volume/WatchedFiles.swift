private import CLinux
private import FoundationEssentials
private import Glibc
import Jobs
private import Synchronization
import SystemPackage

/// Since when this host has seen files unchanged, by its clock since boot (CLOCK_BOOTTIME, which goes on while a machine is
/// suspended).
///
/// What was seen outlives the process, in a file on the local disk: of workers that live for one short job each none would ever
/// see a whole lease. It is worth nothing after another boot.
final class WatchedFiles: Sendable {
  private struct Sighting: Codable {
    var mark: String
    var since: Int64
  }

  private struct Memory: Codable {
    var boot: String
    var seen: [String: Sighting]
  }

  private let memory: VolumePath?
  private let seen: Mutex<[String: Sighting]>
  /// Over this many, those that were seen first are forgotten.
  private static let limit = 4096

  init(remembering memory: VolumePath?) {
    self.memory = memory
    let bytes = memory.flatMap { try? DurableFile.read($0) }
    let remembered = bytes.flatMap { try? JSONDecoder().decode(Memory.self, from: Data($0)) }
    let isOfThisBoot = remembered?.boot == ProcessIdentity.current.bootId
    // A time that is yet to come is nobody's.
    let now = linux_time_since_boot()
    seen = Mutex(isOfThisBoot ? (remembered?.seen ?? [:]).filter { (0...now).contains($0.value.since) } : [:])
  }

  /// For how long `path` has been seen with this `mark`, which changes whenever the file does; zero when that is new.
  package func age(of path: VolumePath, _ mark: String) -> Duration {
    let now = linux_time_since_boot()
    let (age, changed) = seen.withLock { seen -> (Duration, [String: Sighting]?) in
      let path = path.description
      if let sighting = seen[path], sighting.mark == mark { return (.nanoseconds(now - sighting.since), nil) }
      seen[path] = Sighting(mark: mark, since: now)
      if seen.count > WatchedFiles.limit, let oldest = seen.min(by: { $0.value.since < $1.value.since }) {
        seen[oldest.key] = nil
      }
      return (.zero, memory == nil ? nil : seen)
    }
    if let changed { remember(changed) }
    return age
  }

  /// What cannot be kept is seen again.
  private func remember(_ seen: [String: Sighting]) {
    guard let memory,
      let text = try? JSONEncoder().encode(Memory(boot: ProcessIdentity.current.bootId, seen: seen))
    else { return }
    let draft = DurableFile.draft(of: memory)
    guard let file = try? draft.openFile(O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600) else { return }
    let isWritten = (try? file.closeAfter { try file.writeAll(text) }) != nil
    if isWritten { try? draft.rename(to: memory.name) }
  }
}
