import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Steps in their own cgroups, where the worker may make some.
@Suite(.enabled(if: ownCgroup != nil, "no cgroup of version 2 can be made here")) struct CgroupTests {
  /// Only the next worker is left to end the daemon, and nothing about the daemon shows which step started it.
  @Test func daemonOfAWorkerThatWasKilledWithItsGuardianEndsBeforeTheNextBegins() async throws {
    try await Scene.play(leaving: [.claims, .workspaces]) { scene in
      let mark = "\(Int.random(in: 10_000_000..<100_000_000))"
      try scene.job(
        "job",
        steps: [
          .string(
            """
            \(scene.findGuardian)
            (env -i setsid sleep \(mark) > /dev/null 2>&1 &)
            kill -KILL $guardian $PPID
            sleep \(mark)
            """)
        ])
      let first = try scene.worker([])
      try await first.listens()
      try await scene.send("job")
      #expect(try await first.end() == .signal(SIGKILL))
      let next = try scene.worker("worker-02", on: "other/pending", [])
      try await next.listens()
      #expect(ProcessEntry.marked(mark).isEmpty)
      #expect(cgroups(of: first.pid) == [])
    }
  }

  @Test func stepHasOneAndNoneIsLeft() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["cat /proc/self/cgroup; sleep 1000 & true", "false"])
      let worker = try scene.worker([])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "failed")
      #expect(scene.result("job")["steps"][0]["endedProcesses"] == 1)
      #expect(scene.log("job").contains("/mqtt-fs-worker-"))
      #expect(cgroups(of: worker.pid) == [])
    }
  }

  @Test func guardianRemovesThatOfAKilledWorker() async throws {
    try await Scene.play(leaving: [.claims, .workspaces]) { scene in
      try scene.job("job", steps: ["echo begun; sleep 1000"])
      let worker = try scene.worker([])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      #expect(cgroups(of: worker.pid).count == 1)
      try await worker.kill()
      try await eventually("no cgroup") { cgroups(of: worker.pid).isEmpty }
    }
  }
}

/// A limit of memory as a container has it: a cgroup around the worker.
@Suite(.enabled(if: ownCgroup.map(hasMemoryController) == true, "no cgroup with a limit of memory can be made here"))
struct MemoryLimitTests {
  @Test func stepThatNeedsMoreMemoryThanThereIsSaysSo() async throws {
    let cgroup = try #require(ownCgroup) + "/limited-\(getpid())"
    try FileManager.default.createDirectory(atPath: cgroup, withIntermediateDirectories: false)
    defer { rmdir(cgroup) }
    for (file, text) in [("memory.max", "100M"), ("memory.swap.max", "0")] {
      try? text.write(toFile: "\(cgroup)/\(file)", atomically: false, encoding: .utf8)
    }
    try await Scene.play { scene in
      try scene.job("job", steps: ["tail -c 300m /dev/zero", ["run": "echo cleaned > up", "always": true]])
      let process = try scene.start(
        installed("sh"),
        [
          "-c", "echo $$ > '\(cgroup)/cgroup.procs' && exec \"$@\"", "sh", WorkerProcess.executable.string, "-u",
          scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string,
        ], name: "limited")
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      #expect(try await process.end() == .code(0))
      let result = scene.result("job")
      #expect(result["outOfMemory"] == true && result["exitCode"] == 137)
      #expect(result["error"].string?.contains("100 MiB") == true, "\(result["error"])")
      #expect(scene.text("job", "results/up") == "cleaned\n")
    }
  }
}

private func hasMemoryController(_ cgroup: String) -> Bool {
  (try? String(contentsOfFile: "\(cgroup)/cgroup.subtree_control", encoding: .utf8))?.contains("memory") == true
}

/// The cgroups that a worker has made.
private func cgroups(of worker: pid_t) -> [String] {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: ownCgroup ?? "/nowhere")) ?? []
  return names.filter { $0.hasPrefix("mqtt-fs-worker-") && $0.split(separator: "-").dropLast(2).last == "\(worker)" }
}

/// The folder of this process's version 2 cgroup, if a process can be moved into a cgroup below it.
private let ownCgroup: String? = {
  let script = """
    path=$(sed -n 's/^0:://p' /proc/self/cgroup)
    mount=$(awk '/ - cgroup2 /{print $5; exit}' /proc/self/mountinfo)
    test "$path" && test "$mount" && folder="${mount}${path%/}" && mkdir "$folder/try-$$" || exit 1
    sh -c "echo \\$\\$ > '$folder/try-$$/cgroup.procs'" && echo "$folder"
    rmdir "$folder/try-$$"
    """
  let shell = Process()
  let output = Pipe()
  shell.executableURL = URL(fileURLWithPath: "/bin/sh")
  shell.arguments = ["-c", script]
  shell.standardOutput = output
  shell.standardError = FileHandle.nullDevice
  guard (try? shell.run()) != nil else { return nil }
  let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  shell.waitUntilExit()
  return text.isEmpty ? nil : text.trimmingCharacters(in: .newlines)
}()
