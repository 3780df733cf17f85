private import CLinux
private import Dispatch
private import FoundationEssentials
private import Glibc
import Jobs
package import SystemPackage
import Volume

/// An examination of a file system: whether it has the properties that workers need.
///
/// It works in a temporary folder.
package struct VolumeExamination: Sendable {
  private let folder: FilePath
  private let workspaces: FilePath?
  private let otherMount: FilePath?

  /// An examination of the volume `jobs`, and of its combination with the folder of workspaces, if given. `otherMount` is
  /// the same volume through another mount.
  package init(jobs: FilePath, workspaces: FilePath?, otherMount: FilePath? = nil) {
    folder = JobsDirectory(jobs).state.path
    self.workspaces = workspaces
    self.otherMount = otherMount
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
    report(examined(.modes) { try modes($0, volume) })
    report(examined(.ownership) { try ownership($0, volume) })
    report(examined(.names) { try names($0, volume) })
    if let otherMount { report(examined(.otherMount) { try seen($0, volume, through: otherMount) }) }
    guard let workspaces, goesOn() else { return }
    let local: Scratch
    do {
      local = try Scratch(in: workspaces)
    } catch {
      return report(Property.workspacesWritable.finding(false, "\(error)"))
    }
    defer { local.remove() }
    report(Property.workspacesWritable.finding(true, "\(workspaces)"))
    report(examined(.locks) { try locks($0, local) })
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
    var isFolderSynced = true
    for round in 0..<15 {
      let start = ContinuousClock.now
      let path = try scratch.write("x", to: "sync-\(round)")
      for name in [path, scratch.folder] {
        let file = open(name.string, O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        // Some file systems have no fsync for folders (fsync(2), EINVAL).
        guard Glibc.fsync(file) != 0 else { continue }
        guard errno == EINVAL || errno == ENOTSUP else { throw VolumeError("syncing", name) }
        isFolderSynced = false
      }
      times.append(ContinuousClock.now - start)
    }
    let median = times.sorted()[times.count / 2] / .milliseconds(1)
    let seen = "a small file is durable in \((median * 100).rounded() / 100) ms"
    return property.finding(
      median < 20,
      isFolderSynced
        ? seen : "\(seen), as far as the server does it by itself, for fsync(2) is not supported for folders")
  }

  private func links(_ property: Property, _ scratch: Scratch) throws -> Finding {
    let link = scratch.path("link")
    guard symlink("target", link.string) == 0 else { return property.finding(false, "\(Errno(rawValue: errno))") }
    return property.finding((try? FileManager.default.destinationOfSymbolicLink(atPath: link.string)) == "target")
  }

  private func modes(_ property: Property, _ scratch: Scratch) throws -> Finding {
    let file = try scratch.write("", to: "mode")
    guard chmod(file.string, 0o751) == 0 else { return property.finding(false, "\(Errno(rawValue: errno))") }
    var status = stat()
    guard stat(file.string, &status) == 0 else { throw VolumeError("looking at", file) }
    return property.finding(status.st_mode & 0o777 == 0o751)
  }

  /// Root gives results to the owner of the job's folder; other users cannot.
  private func ownership(_ property: Property, _ scratch: Scratch) throws -> Finding {
    guard geteuid() == 0 else { return property.finding(false, "this user is not root") }
    let file = try scratch.write("", to: "owner")
    guard chown(file.string, 12345, 12345) == 0 else { return property.finding(false, "\(Errno(rawValue: errno))") }
    var status = stat()
    guard stat(file.string, &status) == 0 else { throw VolumeError("looking at", file) }
    return property.finding(status.st_uid == 12345 && status.st_gid == 12345)
  }

  /// Two open files of one name exclude one another, as two workers do.
  private func locks(_ property: Property, _ scratch: Scratch) throws -> Finding {
    let path = try scratch.write("", to: "lock")
    let files = [0, 1].map { _ in open(path.string, O_RDWR | O_CLOEXEC) }
    defer { for file in files { close(file) } }
    guard flock(files[0], LOCK_EX | LOCK_NB) == 0 else { return property.finding(false, "\(Errno(rawValue: errno))") }
    return property.finding(flock(files[1], LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
  }

  private func names(_ property: Property, _ scratch: Scratch) throws -> Finding {
    // "é" in Latin-1.
    let name: [CChar] = Array("\(scratch.folder)/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0]
    let file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { return property.finding(false) }
    close(file)
    return property.finding(unlink(name) == 0)
  }

  /// Files appear, are replaced, and cannot be created twice, whichever mount is used.
  private func seen(_ property: Property, _ scratch: Scratch, through mount: FilePath) throws -> Finding {
    let other = Scratch(scratch, below: JobsDirectory(mount).state.path)
    var longest = Duration.zero
    for round in 0..<5 {
      let (name, text) = ("seen", "\(round)")
      try scratch.write(text, to: "seen.new")
      guard rename(scratch.path("seen.new").string, scratch.path(name).string) == 0 else {
        throw VolumeError("renaming", scratch.path("seen.new"))
      }
      let start = ContinuousClock.now
      while (try? other.read(name)) != text {
        guard ContinuousClock.now - start < .seconds(10) else {
          return property.finding(false, "a file that was replaced is not seen through \(mount) within 10 s")
        }
        usleep(1000)
      }
      longest = max(longest, ContinuousClock.now - start)
      let claim = "claim-of-both-\(round)"
      try scratch.write("", to: claim)
      let second = open(other.path(claim).string, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      if second >= 0 {
        close(second)
        return property.finding(false, "both mounts created one file")
      }
    }
    return property.finding(
      true, "a file that is replaced is seen there within \((longest / .milliseconds(1)).rounded()) ms")
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
