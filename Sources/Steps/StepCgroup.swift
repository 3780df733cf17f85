import Glibc
import Synchronization

/// A separate cgroup for a step, below that of the worker (cgroups(7), version 2): it contains everything that a step
/// starts, regardless of session, environment and parent.
///
/// There is none where the worker may not create one; then processes are found by their other marks. A step that may
/// write to the worker's own cgroup, as root may, can leave its cgroup: it complements those marks.
struct StepCgroup: Sendable {
  let path: String

  private static let prefix = "mqtt-fs-worker-"
  private static let number = Atomic(0)
  /// The possible folders of this process's own cgroup.
  static let ownPlaces = places(
    of: ProcessEntry.text(of: "/proc/self/cgroup"), among: ProcessEntry.text(of: "/proc/self/mountinfo"))
  /// The folder of this process's own cgroup, if the process may move its children out of it.
  private static let own: String? = ownPlaces.first { access("\($0)/cgroup.procs", W_OK) == 0 }

  /// Creates an empty cgroup; nil where that is not possible.
  static func make() -> StepCgroup? {
    guard let own, let start = ProcessEntry(getpid())?.start, let namespace = pidNamespace() else { return nil }
    for _ in 0..<100 {
      // A program that executed itself anew may have left cgroups with the same name.
      let number = number.add(1, ordering: .relaxed).newValue
      let path = "\(own)/\(prefix)\(namespace)-\(getpid())-\(start)-\(number)"
      if mkdir(path, 0o755) == 0 { return StepCgroup(path: path) }
      guard errno == EEXIST else { return nil }
    }
    return nil
  }

  /// Kills the processes left in it, and removes it. Gives up after `patience`: processes that hang in the kernel keep
  /// it busy.
  @discardableResult
  func end(within patience: Duration = .seconds(5)) -> Bool {
    let deadline = ContinuousClock.now + patience
    var pause: UInt32 = 100
    while !remove() {
      guard .now < deadline else { return false }
      kill()
      usleep(pause)
      pause = min(pause * 2, 20_000)
    }
    return true
  }

  private func kill() {
    // cgroup.kill is Linux 5.14.
    if write("1", to: "cgroup.kill") { return }
    for folder in folders {
      for pid in ProcessEntry.text(of: "\(folder)/cgroup.procs").split(separator: "\n").compactMap({ pid_t($0) })
      where pid > 0 {
        Glibc.kill(pid, SIGKILL)
      }
    }
  }

  private func remove() -> Bool {
    if rmdir(path) == 0 || errno == ENOENT { return true }
    for folder in folders.dropFirst().reversed() { rmdir(folder) }
    return rmdir(path) == 0 || errno == ENOENT
  }

  private func write(_ text: String, to file: String) -> Bool {
    let descriptor = open("\(path)/\(file)", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count
  }

  /// The cgroup and those that the step created in it, parents first. A step can create any number.
  private var folders: [String] {
    var found = [path]
    var next = 0
    while next < found.count, found.count < 10_000 {
      found += Self.names(in: found[next]).map { "\(found[next])/\($0)" }
      next += 1
    }
    return found
  }

  // MARK: Those of dead workers

  /// Ends and removes the cgroups below this process's own whose worker is dead: it and its guardian may have been
  /// killed.
  static func endAbandoned() {
    guard let own, let namespace = pidNamespace() else { return }
    for name in names(in: own) where name.hasPrefix(prefix) {
      let numbers = name.dropFirst(prefix.count).split(separator: "-").compactMap { UInt64($0) }
      // Workers of other PID namespaces are not visible here.
      guard numbers.count == 4, numbers[0] == namespace, isDead(pid_t(truncatingIfNeeded: numbers[1]), numbers[2])
      else {
        continue
      }
      StepCgroup(path: "\(own)/\(name)").end(within: .seconds(1))
    }
  }

  private static func isDead(_ pid: pid_t, _ start: UInt64) -> Bool {
    guard pid > 0 else { return false }
    if let entry = ProcessEntry(pid) { return entry.start != start || !entry.isAlive }
    // With hidepid, /proc shows only a user's own processes: a hidden process is not dead.
    return Glibc.kill(pid, 0) != 0 && errno == ESRCH
  }

  /// The inode number that identifies this process's PID namespace.
  private static func pidNamespace() -> UInt64? {
    var status = stat()
    return stat("/proc/self/ns/pid", &status) == 0 ? UInt64(status.st_ino) : nil
  }

  private static func names(in folder: String) -> [String] {
    var found: [String] = []
    ProcessEntry.list(folder) { name, type in
      guard Int32(type) == Int32(DT_DIR), strcmp(name, ".") != 0, strcmp(name, "..") != 0 else { return }
      found.append(String(cString: name))
    }
    return found
  }

  // MARK: Where cgroups are

  /// The possible cgroup folders of a process, from the content of its /proc/<pid>/cgroup and mountinfo. proc(5).
  static func places(of cgroups: String, among mounts: String) -> [String] {
    guard let line = cgroups.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return [] }
    let path = line.dropFirst(3)
    // Characters are slow to split, and there may be many mounts.
    return mounts.utf8.split(separator: UInt8(ascii: "\n")).compactMap { mount -> String? in
      let fields = mount.split(separator: UInt8(ascii: " "))
      guard let dash = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), dash >= 6,
        fields.dropFirst(dash + 1).first?.elementsEqual("cgroup2".utf8) == true
      else { return nil }
      // A mount may show only a part of the tree. Paths outside of the process's cgroup namespace begin with "..".
      let (root, folder) = (unescaped(Substring(fields[3])), unescaped(Substring(fields[4])))
      let below = root == "/" ? path : path == root || path.hasPrefix("\(root)/") ? path.dropFirst(root.count) : nil
      return below.map { $0 == "/" ? folder : folder + $0 }
    }
    .filter { !$0.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("..".utf8) } }
  }

  /// mountinfo escapes blanks and backslashes as three octal digits.
  private static func unescaped(_ text: Substring) -> String {
    guard text.utf8.contains(UInt8(ascii: "\\")) else { return String(text) }
    let parts = text.split(separator: "\\", omittingEmptySubsequences: false)
    return String(parts[0])
      + parts.dropFirst().map { part in
        guard let code = UInt8(part.prefix(3), radix: 8) else { return "\\\(part)" }
        return String(UnicodeScalar(code)) + part.dropFirst(3)
      }.joined()
  }
}
