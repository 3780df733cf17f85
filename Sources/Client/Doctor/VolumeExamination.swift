private import CLinux
private import Dispatch
private import FoundationEssentials
private import Glibc
import Jobs
private import Synchronization
package import SystemPackage
import Volume

/// An examination of a file system: whether it has the properties that workers need.
///
/// It works in a temporary folder.
package struct VolumeExamination: Sendable {
  private let folder: FilePath
  private let workspaces: FilePath?

  /// An examination of the volume `jobs`, and of its combination with the folder of workspaces, if given.
  package init(jobs: FilePath, workspaces: FilePath?) {
    folder = JobsDirectory(jobs).state.path
    self.workspaces = workspaces
  }

  /// Examines, and reports each finding at once. Skips the workspaces if `goesOn` returns false.
  package func run(while goesOn: () -> Bool = { true }, _ report: (Finding) -> Void) {
    let volume: Scratch
    do {
      volume = try Scratch(in: folder)
    } catch {
      return report(Property.writable.finding(false, "\(error)"))
    }
    defer { volume.remove() }
    report(Property.writable.finding(true, "\(folder.removingLastComponent())"))
    report(examined(.exclusiveCreation) { try exclusiveCreation($0, volume) })
    report(examined(.atomicRename) { try atomicRename($0, volume) })
    report(examined(.clock) { try clock($0, volume) })
    report(examined(.fsync) { try fsyncTime($0, volume) })
    report(examined(.links) { try links($0, volume) })
    report(examined(.names) { try names($0, volume) })
    guard let workspaces, goesOn() else { return }
    let local: Scratch
    do {
      local = try Scratch(in: workspaces)
    } catch {
      return report(Property.workspacesWritable.finding(false, "\(error)"))
    }
    defer { local.remove() }
    report(Property.workspacesWritable.finding(true, "\(workspaces)"))
    report(examined(.executable) { try executable($0, local) })
    report(examined(.reflink) { try reflink($0, volume, local) })
  }

  private func examined(_ property: Property, _ examine: (Property) throws -> Finding) -> Finding {
    do { return try examine(property) } catch { return property.unknown("\(error)") }
  }

  // MARK: Examinations

  /// Tests threads of one process, which meet in the kernel. One host cannot test whether several hosts meet at the
  /// server.
  private func exclusiveCreation(_ property: Property, _ scratch: Scratch) throws -> Finding {
    for round in 0..<20 {
      let path = scratch.path("claim-\(round)")
      let winners = Count()
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        let file = open(path.string, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { return }
        winners.increment()
        close(file)
      }
      guard winners.value == 1 else { return property.finding(false, "\(winners.value) of 4 threads created one file") }
    }
    return property.finding(true)
  }

  private func atomicRename(_ property: Property, _ scratch: Scratch) throws -> Finding {
    let path = try scratch.write("0", to: "result")
    let (misses, end) = (Count(), Count())
    let reader = DispatchGroup()
    DispatchQueue(label: "reader").async(group: reader) {
      while end.value == 0 { if access(path.string, F_OK) != 0 { misses.increment() } }
    }
    defer {
      end.increment()
      reader.wait()
    }
    for round in 1...200 {
      let temporary = try scratch.write("\(round)", to: "result.new")
      guard rename(temporary.string, path.string) == 0 else { throw VolumeError("renaming", temporary) }
    }
    guard misses.value == 0 else { return property.finding(false, "the name was missing \(misses.value) times") }
    return property.finding(try scratch.read("result") == "200")
  }

  /// The clock that sets a file's time depends on the file system, and on the operation.
  private func clock(_ property: Property, _ scratch: Scratch) throws -> Finding {
    let created = try modified(try scratch.write("", to: "clock"))
    let path = try scratch.write("x", to: "clock")
    let written = try modified(path)
    var (before, skew): (Int64, Int64) = (0, 0)
    for _ in 0..<20 {
      guard utimensat(AT_FDCWD, path.string, nil, 0) == 0 else { throw VolumeError("touching", path) }
      let now = try modified(path)
      guard now >= before else { return property.finding(false, "it went back by \(before - now) ms") }
      before = now
      skew = now - Timestamp.now.millisecondsSince1970
      usleep(2000)
    }
    // The kernel sets times by its last tick, some milliseconds ago.
    let difference =
      abs(skew) < 20
      ? "this host's" : "\(abs(skew)) ms \(skew < 0 ? "behind" : "ahead of") this host's, which does no harm"
    let kind = FileSystemKind(of: scratch.folder)
    let spread = max(created, written, before) - min(created, written, before)
    let seen = "\(kind.name): it shows \(difference)"
    let detail = spread > 1000 ? "\(seen), but creation, writing and touching differ by \(spread) ms" : seen
    return switch kind.times {
    case .volume: property.finding(spread <= 1000, detail)
    case .hosts: Property.watchedClock.finding(true, detail)
    }
  }

  /// The modification time of `path`, in milliseconds since 1970.
  private func modified(_ path: FilePath) throws -> Int64 {
    var status = stat()
    guard stat(path.string, &status) == 0 else { throw VolumeError("looking at", path) }
    // A file system may return any time: clamp it to about 36,000 years.
    let seconds = min(max(Int64(status.st_mtim.tv_sec), -1 << 40), 1 << 40)
    return seconds * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
  }

  private func fsyncTime(_ property: Property, _ scratch: Scratch) throws -> Finding {
    var times: [Duration] = []
    for round in 0..<15 {
      let start = ContinuousClock.now
      let path = try scratch.write("x", to: "sync-\(round)")
      for name in [path, scratch.folder] {
        let file = open(name.string, O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        // Some file systems have no fsync for folders, and need none (fsync(2), EINVAL).
        guard Glibc.fsync(file) == 0 || errno == EINVAL else { throw VolumeError("syncing", name) }
      }
      times.append(ContinuousClock.now - start)
    }
    let median = times.sorted()[times.count / 2] / .milliseconds(1)
    return property.finding(median < 20, "a small file is durable in \((median * 100).rounded() / 100) ms")
  }

  private func links(_ property: Property, _ scratch: Scratch) throws -> Finding {
    let (link, file) = (scratch.path("link"), try scratch.write("", to: "mode"))
    var status = stat()
    let has =
      symlink("mode", link.string) == 0 && chmod(file.string, 0o751) == 0 && stat(link.string, &status) == 0
      && status.st_mode & 0o777 == 0o751
    return property.finding(has)
  }

  private func names(_ property: Property, _ scratch: Scratch) throws -> Finding {
    // "é" in Latin-1.
    let name: [CChar] = Array("\(scratch.folder)/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0]
    let file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { return property.finding(false) }
    close(file)
    return property.finding(unlink(name) == 0)
  }

  private func executable(_ property: Property, _ scratch: Scratch) throws -> Finding {
    var status = statvfs()
    guard statvfs(scratch.folder.string, &status) == 0 else {
      throw VolumeError("looking at", scratch.folder)
    }
    return property.finding(status.f_flag & linuxMountedNoExec == 0)
  }

  private func reflink(_ property: Property, _ volume: Scratch, _ local: Scratch) throws -> Finding {
    let (from, to) = (try volume.write(String(repeating: "x", count: 65536), to: "source"), local.path("clone"))
    let source = open(from.string, O_RDONLY | O_CLOEXEC)
    let destination = open(to.string, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    defer {
      close(source)
      close(destination)
    }
    return property.finding(ioctl(destination, linuxCloneFile, source) == 0)
  }
}

/// A temporary folder for an examination.
struct Scratch: Sendable {
  let folder: FilePath
  private let madeParent: Bool

  /// Creates the folder below `parent`, and `parent` itself if it is missing.
  init(in parent: FilePath) throws(VolumeError) {
    folder = parent.appending("doctor-\(String(UInt64.random(in: 0 ... .max), radix: 36))")
    madeParent = mkdir(parent.string, 0o755) == 0
    guard mkdir(folder.string, 0o700) == 0 else { throw VolumeError("writing to", parent) }
  }

  /// Removes the folder.
  func remove() {
    try? FileManager.default.removeItem(atPath: folder.string)
    if madeParent { rmdir(folder.removingLastComponent().string) }
  }

  func path(_ name: String) -> FilePath { folder.appending(name) }

  /// Writes a file, and returns its path.
  @discardableResult
  func write(_ text: String, to name: String) throws(VolumeError) -> FilePath {
    let path = path(name)
    do {
      let file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .init(rawValue: 0o644))
      try file.closeAfter { _ = try file.writeAll(text.utf8) }
    } catch {
      throw VolumeError("writing", path, error as? Errno ?? .ioError)
    }
    return path
  }

  func read(_ name: String) throws(VolumeError) -> String {
    guard let bytes = FileManager.default.contents(atPath: path(name).string) else {
      throw VolumeError("reading", path(name))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A counter for several threads.
final class Count: Sendable {
  private let number = Atomic(0)

  var value: Int { number.load(ordering: .sequentiallyConsistent) }

  func increment() { number.add(1, ordering: .sequentiallyConsistent) }
}
