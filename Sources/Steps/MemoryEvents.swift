import Glibc

/// How often the kernel's OOM killer ended a process of a cgroup and of those below it: cgroups(7), version 2,
/// memory.events.
struct MemoryEvents: Sendable {
  /// The cgroup whose memory is counted.
  private let cgroup: String
  private let before: Int

  /// Begins to count in the first of `cgroups` that has the memory controller; `nil` if none has.
  init?(inFirstOf cgroups: [String?]) {
    for case let cgroup? in cgroups {
      guard let count = Self.kills(in: cgroup) else { continue }
      (self.cgroup, before) = (cgroup, count)
      return
    }
    return nil
  }

  /// The limit that was reached, if a process has been ended since then; `nil` if none has, or the cgroup is gone.
  func newKill() -> MemoryLimit? {
    guard let count = Self.kills(in: cgroup), count > before else { return nil }
    return MemoryLimit(of: cgroup)
  }

  private static func kills(in cgroup: String) -> Int? {
    ProcessEntry.text(of: "\(cgroup)/memory.events").split(separator: "\n")
      .first { $0.hasPrefix("oom_kill ") }.flatMap { Int($0.dropFirst(9)) }
  }
}

/// The memory that the processes of a cgroup may use together.
package enum MemoryLimit: Sendable, Equatable {
  /// In bytes: the lowest memory.max of the cgroup and those above it.
  case bytes(Int)
  /// No cgroup sets a limit: the host itself had no memory left.
  case host

  /// The limit of the cgroup in this folder, as far up as cgroups are visible.
  init(of cgroup: String) {
    var lowest: Int?
    var folder = cgroup[...]
    while !folder.isEmpty {
      let text = ProcessEntry.text(of: "\(folder)/memory.max").prefix { $0 != "\n" }
      // The root has no such file.
      if text.isEmpty { break }
      if let bytes = Int(text) { lowest = min(lowest ?? bytes, bytes) }
      folder = folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]
    }
    self = lowest.map { .bytes($0) } ?? .host
  }
}
