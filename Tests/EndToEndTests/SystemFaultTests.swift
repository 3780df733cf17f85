import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// File systems and kernels that answer some calls in their own way: by injection (strace(1)).
@Suite(.enabled(if: (try? installed("strace")) != nil, "strace is not installed"))
struct SystemFaultTests {
  /// Runs `arguments` with faults injected into its calls, as in `fchmod:error=EIO`.
  private func start(_ scene: Scene, faults: [String], _ arguments: [String]) throws -> ChildProcess {
    let calls = faults.map { String($0.prefix { $0 != ":" }) }.joined(separator: ",")
    return try scene.start(
      installed("strace"),
      ["-f", "-qq", "-o", scene.files.appending("trace").string, "-e", "trace=\(calls)"]
        + faults.flatMap { ["-e", "inject=\($0)"] } + [WorkerProcess.executable.string] + arguments, name: "faults")
  }

  /// Runs the job as a dry run, and returns the result.
  private func result(_ scene: Scene, faults: [String], log: (String) -> Void = { _ in }) async throws -> JSON {
    let payload = scene.files.appending("payload.json")
    try scene.write(#"{"id":"job"}"#, payload)
    let process = try start(
      scene, faults: faults,
      ["--dry-run", "--payload", payload.string, "-j", scene.jobs.string, "-w", scene.workspaces.string])
    try await process.end()
    log(process.errors)
    return scene.result("job")
  }

  /// Lustre, and NFS without its lock service.
  @Test(arguments: ["ENOSYS", "ENOLCK", "EOPNOTSUPP"]) func fileSystemWithoutLocksIsNamed(_ error: String) async throws
  {
    try await Scene.play(.down) { scene in
      let process = try start(
        scene, faults: ["flock:error=\(error)"],
        ["-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string])
      #expect(try await process.end() == .code(73))
      #expect(
        process.errors.contains("locking \(scene.workspaces.appending(".worker"))")
          && process.errors.contains("this file system cannot do that"), "\(process.errors)")
    }
  }

  /// 524 is the kernel's own ENOTSUPP.
  @Test(arguments: ["EIO", "EBADF", "EACCES", "EPERM", "524"])
  func contentIsCopiedInAnotherWay(_ error: String) async throws {
    try await Scene.play(.down) { scene in
      try scene.job("job", steps: ["read -r line < input || printf %s \"$line\" > copy"], ["input": "text"])
      let result = try await result(
        scene, faults: ["copy_file_range:error=\(error)", "ioctl:error=\(error)"])
      #expect(result["status"] == "success", "\(result["error"])")
      #expect(scene.text("job", "results/copy") == "text")
    }
  }

  @Test(arguments: ["EIO", "EBADF", "EACCES", "EPERM", "524"])
  func modesThatAreNotKeptAreAWarning(_ error: String) async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.job("job", steps: ["cp input made; chmod 600 made"], ["input": "text"])
      chmod(folder.appending("input").string, 0o777)
      var log = ""
      let result = try await result(scene, faults: ["fchmod:error=\(error)"]) { log = $0 }
      #expect(result["status"] == "success", "\(result["error"])")
      #expect(scene.text("job", "results/made") == "text")
      #expect(log.contains("modes or times of files are not kept in the workspace"), "\(log)")
    }
  }

  /// Old container runtimes answer clone3(2) so, and pthread_create(3) fails then.
  @Test(arguments: [["workers"], ["-i", "worker"], ["jobs", "-j", "/nowhere"]])
  func systemThatForbidsThreadsIsNamed(_ arguments: [String]) async throws {
    try await Scene.play(.down) { scene in
      let process = try start(scene, faults: ["clone3:error=EPERM"], arguments)
      #expect(try await process.end() == .code(78))
      #expect(process.errors.contains("no thread can be started"), "\(process.errors)")
    }
  }

  /// The arguments are read there; without them even `check` would start a worker.
  @Test(.enabled(if: geteuid() == 0, "only root can hide /proc"), arguments: [["check", "."], ["--version"], []])
  func systemWithoutProcIsNamed(_ arguments: [String]) async throws {
    try await Scene.play(.down) { scene in
      let process = try scene.start(
        installed("unshare"),
        ["--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" \"$@\"", WorkerProcess.executable.string]
          + arguments, name: "blind")
      #expect(try await process.end() == .code(78))
      #expect(process.errors.contains("/proc is not mounted"), "\(process.errors)")
    }
  }

  /// With a few descriptors libraries trap, where they could tell the error.
  @Test(arguments: [8, 14, 63]) func lowLimitOfOpenFilesIsNamed(_ limit: Int) async throws {
    try await Scene.play(.down) { scene in
      let process = try scene.start(
        "/bin/sh", ["-c", "ulimit -n \(limit) && exec \"$0\" check .", WorkerProcess.executable.string], name: "narrow")
      #expect(try await process.end() == .code(78))
      let message = "the limit of open files is \(limit): raise it to 64 or more"
      #expect(process.errors.contains(message), "\(process.errors)")
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can become a user without processes"), arguments: [3, 8])
  func lowLimitOfProcessesIsNamed(_ limit: Int) async throws {
    try await Scene.play(.down) { scene in
      let user = "\(Int.random(in: 100_000...1_000_000_000))"
      let drop = [
        "--reuid", user, "--regid", user, "--clear-groups", try WorkerProcess.executable.string, "check", ".",
      ]
      let process = try scene.start(
        "/bin/bash", ["-c", "ulimit -u \(limit) && exec setpriv \"$@\"", "sh"] + drop, name: "narrow")
      #expect(try await process.end() == .code(78))
      #expect(process.errors.contains("raise the limit of this user's processes, \(limit) "), "\(process.errors)")
    }
  }

  /// The runtime would wait without a word for a thread whose stack has no place.
  @Test(arguments: [("-v", "address space, 61440000 bytes"), ("-d", "data, 61440000 bytes")])
  func lowLimitOfMemoryIsNamed(_ option: String, _ limit: String) async throws {
    try await Scene.play(.down) { scene in
      let process = try scene.start(
        "/bin/bash", ["-c", "ulimit \(option) 60000 && exec \"$0\" check .", WorkerProcess.executable.string],
        name: "narrow")
      #expect(try await process.end() == .code(78))
      let message = "there is no room for 24 threads: raise the limit of \(limit)"
      #expect(process.errors.contains(message), "\(process.errors)")
    }
  }

  /// The worker sees its cgroup where a container has it.
  @Test(.enabled(if: cgroupsWithPids != nil, "no cgroup with a limit of processes can be made here"))
  func lowLimitOfTheContainersProcessesIsNamed() async throws {
    let all = try #require(cgroupsWithPids)
    let cgroup = "\(all)/few-\(Int.random(in: 10_000_000..<100_000_000))"
    try FileManager.default.createDirectory(atPath: cgroup, withIntermediateDirectories: false)
    defer { rmdir(cgroup) }
    try "6".write(toFile: "\(cgroup)/pids.max", atomically: false, encoding: .utf8)
    try await Scene.play(.down) { scene in
      let process = try scene.start(
        installed("unshare"),
        [
          "--mount", "sh", "-c",
          "echo $$ > \"$1/cgroup.procs\" && mount --bind \"$1\" \"$2\" && exec \"$0\" check .",
          WorkerProcess.executable.string, cgroup, all,
        ], name: "narrow")
      #expect(try await process.end() == .code(78))
      #expect(process.errors.contains("of the container's processes, 6 "), "\(process.errors)")
    }
  }

  @Test func jobRunsAtTheLowestLimitOfOpenFiles() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.job("job", steps: ["echo done"])
      let process = try scene.start(
        "/bin/sh", ["-c", "ulimit -n 64 && exec \"$0\" run \"$1\"", WorkerProcess.executable.string, folder.string],
        name: "narrow")
      #expect(try await process.end() == .code(0), "\(process.errors)")
    }
  }

  /// The worker tries its workspaces out by a file, and holds nothing yet.
  @Test func workerThatIsToldToLeaveAtItsStartLeavesNoFile() async throws {
    try await Scene.play(.down) { scene in
      let process = try start(
        scene, faults: ["ftruncate:delay_enter=2000000:when=1"],
        ["-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string])
      try await eventually("the trial") { scene.workspacesLeft.contains { $0.contains("~trial") } }
      kill(try await process.child(), SIGTERM)
      #expect(try await process.end() == .code(0))
      #expect(scene.workspacesLeft.isEmpty)
    }
  }

  /// A large file that no step touches is not read again after the steps, though it may be the last that was staged.
  @Test func largeFileThatNobodyTouchedIsNotReadAgain() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.job("job", steps: ["true"])
      try scene.write(String(repeating: "x", count: 8 << 20), folder.appending("large"))
      let result = try await result(scene, faults: ["pread64:delay_enter=0"])
      #expect(result["status"] == "success" && result["artifacts"].elements.isEmpty)
      let trace = try String(contentsOfFile: scene.files.appending("trace").string, encoding: .utf8)
      let read = trace.split(separator: "\n").filter { $0.contains("pread64(") && $0.contains("xxxxxxxx") }
      #expect(read.isEmpty, "\(read.prefix(3))")
    }
  }
}

/// Where cgroups that limit processes can be made: those of version 2, or of version 1.
private let cgroupsWithPids: String? =
  geteuid() != 0
  ? nil
  : ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].first { folder in
    // The root of the tree has no limit, but its children do.
    let probe = "\(folder)/probe-\(getpid())"
    guard access("\(folder)/cgroup.procs", W_OK) == 0, mkdir(probe, 0o755) == 0 else { return false }
    defer { rmdir(probe) }
    return access("\(probe)/pids.max", W_OK) == 0
  }
