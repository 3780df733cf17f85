import CLinux
import Glibc
import Jobs
import Synchronization
import SystemPackage

/// The time since which this host has seen each file unchanged, by CLOCK_BOOTTIME, which includes suspends
/// (clock_gettime(2)).
///
/// A file on the local disk keeps the observations for the next process: a worker for one short job would never see a
/// whole lease. They are void after a reboot.
final class WatchedFiles: Sendable {
  private struct Sighting: Codable {
    var mark: String
    var since: Int64
    /// When this process looked at it last.
    var looked: Int64
  }

  private struct Memory: Codable {
    var boot: String
    var seen: [String: Sighting]
  }

  private let memory: VolumePath?
  private let seen: Mutex<[String: Sighting]>
  /// In nanoseconds. A file that nobody has looked at for a day does not exist any more.
  private static let day: Int64 = 24 * 3600 * 1_000_000_000
  /// Above this number the oldest observation is dropped.
  private static let limit = 65_536

  init(remembering memory: VolumePath?) {
    self.memory = memory
    let bytes = memory.flatMap { try? DurableFile.read($0) }
    let remembered = bytes.flatMap { decodedJSON(Memory.self, $0) }
    let isOfThisBoot = remembered?.boot == ProcessIdentity.current.bootId
    // Drop times in the future.
    let now = linux_time_since_boot()
    seen = Mutex(isOfThisBoot ? (remembered?.seen ?? [:]).filter { (0...now).contains($0.value.since) } : [:])
  }

  /// The time for which `path` has had this `mark`, which changes whenever the file does; zero for a new mark.
  func age(of path: VolumePath, _ mark: String) -> Duration {
    let now = linux_time_since_boot()
    let (age, changed) = seen.withLock { seen -> (Duration, [String: Sighting]?) in
      let path = path.description
      if let sighting = seen[path], sighting.mark == mark {
        seen[path]?.looked = now
        return (.nanoseconds(now - sighting.since), nil)
      }
      seen[path] = Sighting(mark: mark, since: now, looked: now)
      if memory != nil { seen = seen.filter { max($1.looked, $1.since) > now - WatchedFiles.day } }
      if seen.count > WatchedFiles.limit, let oldest = seen.min(by: { $0.value.since < $1.value.since }) {
        seen[oldest.key] = nil
      }
      return (.zero, memory == nil ? nil : seen)
    }
    if let changed { remember(changed) }
    return age
  }

  /// Takes over what another worker saw: the state of files `ago`, and how long each had been in it by then.
  func learn(_ seen: [String: RoundFindings.Sighting], ago: Duration, below folder: VolumePath) {
    let now = linux_time_since_boot()
    let ago = ago.nanoseconds
    self.seen.withLock { own in
      for (name, sighting) in seen {
        let path = "\(folder.description)/\(name)"
        let age = min(max(sighting.age, 0), WatchedFiles.oldest) * 1_000_000
        let since = max(0, now - ago - age)
        // What this process has looked at since then is newer, in whatever state it was.
        if let known = own[path], known.mark == sighting.mark ? known.since <= since : known.looked > now - ago {
          continue
        }
        own[path] = Sighting(mark: sighting.mark, since: since, looked: 0)
      }
    }
  }

  /// A week, in milliseconds: no lease is longer.
  private static let oldest: Int64 = 7 * 24 * 3600 * 1000

  /// What this process has seen of files below `folder` since `began`, for ``learn(_:ago:below:)``.
  func sightings(since began: Int64, below folder: VolumePath) -> [String: RoundFindings.Sighting] {
    let (now, prefix) = (linux_time_since_boot(), "\(folder.description)/")
    return seen.withLock { seen in
      var told: [String: RoundFindings.Sighting] = [:]
      for (path, sighting) in seen where sighting.looked >= began && path.hasPrefix(prefix) {
        let age = (now - sighting.since) / 1_000_000
        told[String(path.dropFirst(prefix.utf8.count))] = RoundFindings.Sighting(mark: sighting.mark, age: age)
      }
      return told
    }
  }

  /// Best effort: without the file the next process starts to observe again.
  private func remember(_ seen: [String: Sighting]) {
    guard let memory,
      let text = try? compactJSON(Memory(boot: ProcessIdentity.current.bootId, seen: seen))
    else { return }
    let draft = DurableFile.draft(of: memory)
    guard let file = try? draft.openFile(O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600) else { return }
    let isWritten = (try? file.closeAfter { try file.writeAll(text) }) != nil
    if isWritten { try? draft.rename(to: memory.name) }
  }
}
