import Glibc

/// A process as /proc/<pid>/stat describes it. proc(5).
struct ProcessEntry: Sendable, Hashable {
  let pid: pid_t
  let parent: pid_t
  let group: pid_t
  let session: pid_t
  /// The start time in clock ticks since boot: with the pid, it tells a process from a later one with the same pid.
  let start: UInt64
  /// It runs, sleeps or is stopped. A zombie is not alive: it only waits to be reaped.
  let isAlive: Bool
  let isStopped: Bool

  /// Identifies a process uniquely since boot.
  struct Identity: Hashable, Sendable {
    let pid: pid_t
    let start: UInt64
  }

  var identity: Identity { Identity(pid: pid, start: start) }

  init?(_ pid: pid_t) {
    guard let stat = Self.contents(of: "/proc/\(pid)/stat", atMost: 1) else { return nil }
    self.init(pid, stat: stat)
  }

  /// The name of the program, in parentheses, may contain any byte: fields are counted from the last parenthesis.
  init?(_ pid: pid_t, stat: [UInt8]) {
    guard let parenthesis = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    // This loop must be cheap: there may be tens of thousands of processes.
    var numbers: (parent: Int, group: Int, session: Int, start: Int) = (0, 0, 0, 0)
    var field = -1
    var state: UInt8?
    for byte in stat[(parenthesis + 1)...] {
      if byte == UInt8(ascii: " ") {
        field += 1
        if field > 19 { break }
        continue
      }
      if field == 0 { state = state ?? byte }
      guard byte >= 0x30, byte <= 0x39 else { continue }
      let digit = Int(byte - 0x30)
      switch field {
      case 1: numbers.parent = numbers.parent &* 10 &+ digit
      case 2: numbers.group = numbers.group &* 10 &+ digit
      case 3: numbers.session = numbers.session &* 10 &+ digit
      case 19: numbers.start = numbers.start &* 10 &+ digit
      default: break
      }
    }
    guard field >= 19, let state else { return nil }
    self.pid = pid
    parent = pid_t(truncatingIfNeeded: numbers.parent)
    group = pid_t(truncatingIfNeeded: numbers.group)
    session = pid_t(truncatingIfNeeded: numbers.session)
    start = UInt64(truncatingIfNeeded: numbers.start)
    isAlive = state != UInt8(ascii: "Z") && state != UInt8(ascii: "X")
    isStopped = state == UInt8(ascii: "T") || state == UInt8(ascii: "t")
  }

  /// Whether it has ended, reaped or not.
  var isGone: Bool {
    if kill(pid, 0) != 0, errno == ESRCH { return true }
    guard let now = ProcessEntry(pid), now.start == start else { return true }
    return !now.isAlive
  }

  /// All processes that are visible to this one.
  static func all() -> [ProcessEntry] { numbers(in: "/proc").compactMap { ProcessEntry($0) } }

  /// Children of this process, including zombies: all adopted orphans, but not all that it started itself; nil where
  /// the kernel has no such list (CONFIG_PROC_CHILDREN).
  ///
  /// The kernel gives orphans to the first thread, and to others only when that has ended (exit.c, find_new_reaper).
  /// While the first thread has children, the others are not read: reading a thread's list makes the kernel cache an
  /// entry that it must drop when the thread ends, and on a machine with several workers the cores spin over that for
  /// milliseconds.
  static func children() -> [pid_t]? {
    guard let ofFirst = children(ofThread: getpid()) else { return nil }
    if !ofFirst.isEmpty { return ofFirst }
    // If the first thread has ended, its children belong to the others.
    return numbers(in: "/proc/self/task").flatMap { children(ofThread: $0) ?? [] }
  }

  private static func children(ofThread thread: pid_t) -> [pid_t]? {
    contents(of: "/proc/self/task/\(thread)/children", atMost: 1 << 22)?.split(separator: UInt8(ascii: " ")).map {
      pid_t(number($0))
    }
  }

  static func descriptorsOfThisProcess() -> [Int32] { numbers(in: "/proc/self/fd") }

  /// Whether its environment, as it was at exec, has the entry `marker` ("NAME=value").
  func carries(_ marker: String) -> Bool {
    guard let environment = Self.contents(of: "/proc/\(pid)/environ", atMost: 1 << 22) else { return false }
    let entry = Array(marker.utf8)
    return environment.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
        guard let base = rest.baseAddress else { return false }
        let count = memchr(base, 0, rest.count).map { UnsafeRawPointer($0) - base } ?? rest.count
        if count == entry.count, memcmp(base, entry, count) == 0 { return true }
        start += count + 1
      }
      return false
    }
  }

  /// Whether its stdout or stderr is the pipe with this inode number.
  func writes(toPipe inode: UInt64) -> Bool {
    var status = stat()
    return [1, 2].contains { descriptor in
      stat("/proc/\(pid)/fd/\(descriptor)", &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
        && UInt64(status.st_ino) == inode
    }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int {
    digits.reduce(into: 0) { value, digit in
      if digit >= 0x30, digit <= 0x39 { value = value &* 10 &+ Int(digit - 0x30) }
    }
  }

  private static func numbers(in folder: String) -> [pid_t] {
    var found: [pid_t] = []
    list(folder) { name, _ in
      let number = name.pointee >= 0x30 && name.pointee <= 0x39 ? atoi(name) : 0
      if number > 0 { found.append(number) }
    }
    return found
  }

  /// Calls `body` with each name in a folder and its `d_type` (readdir(3)); never if the folder cannot be read.
  static func list(_ folder: String, _ body: (_ name: UnsafePointer<CChar>, _ type: UInt8) -> Void) {
    guard let stream = opendir(folder) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { body($0, entry.pointee.d_type) }
      }
    }
  }

  /// The content of a file of proc(5) or cgroups(7); empty if it cannot be read.
  static func text(of path: String) -> String {
    String(decoding: contents(of: path, atMost: 1 << 22) ?? [], as: UTF8.self)
  }

  /// Reads in blocks of 4 KiB, until `limit` is reached.
  private static func contents(of path: String, atMost limit: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while bytes.count < limit {
      let block = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
        filled = max(0, read(descriptor, buffer.baseAddress, buffer.count))
      }
      if block.isEmpty { break }
      bytes = bytes.isEmpty ? block : bytes + block
    }
    return bytes
  }
}
