import Foundation
import Glibc
import SystemPackage
import Testing

@testable import Steps

struct StepCgroupTests {
  @Test(arguments: [
    ("0::/", "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw", ["/sys/fs/cgroup/unified"]),
    ("1:cpu:/x\n0::/a/b", "41 31 0:38 / /sys/fs/cgroup rw shared:9 - cgroup2 none rw", ["/sys/fs/cgroup/a/b"]),
    // A part of the tree, as in a container.
    ("0::/docker/1", "41 31 0:38 /docker/1 /sys/fs/cgroup rw - cgroup2 none rw", ["/sys/fs/cgroup"]),
    ("0::/docker/1/sub", "41 31 0:38 /docker/1 /sys/fs/cgroup rw - cgroup2 none rw", ["/sys/fs/cgroup/sub"]),
    ("0::/docker/12", "41 31 0:38 /docker/1 /sys/fs/cgroup rw - cgroup2 none rw", []),
    ("0::/../other", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 none rw", []),
    ("0::/a", #"41 31 0:38 / /with\040blank\134 rw - cgroup2 none rw"#, [#"/with blank\/a"#]),
    // Version 1 only, and malformed content.
    ("4:memory:/a", "36 31 0:35 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", []),
    ("0::/a", "36 31 0:35 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", []),
    ("0::/a", "cgroup2 - cgroup2\n-\n\n1 2 3 4 5 6 -", []), ("", "", []),
  ])
  func itsPlaceIsWhereTheWorkerIs(cgroups: String, mounts: String, places: [String]) {
    #expect(StepCgroup.places(of: cgroups, among: mounts) == places)
  }

  @Test(.enabled(if: canMakeCgroups, "no cgroup can be made here"))
  func whatIsInItEndsWithIt() async throws {
    let cgroup = try #require(StepCgroup.make())
    let other = try #require(StepCgroup.make())
    #expect(cgroup.path != other.path)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    // A step may create cgroups below its own.
    process.arguments = [
      "-c", "mkdir -p \(cgroup.path)/a/b; echo $$ > \(cgroup.path)/a/b/cgroup.procs; exec sleep 999",
    ]
    try process.run()
    while (try? String(contentsOfFile: "\(cgroup.path)/a/b/cgroup.procs", encoding: .utf8))?.isEmpty ?? true {
      try await Task.sleep(for: .milliseconds(2))
    }
    // The worker that created it, this process, is alive.
    StepCgroup.endAbandoned()
    #expect(access(cgroup.path, F_OK) == 0)
    #expect(isAlive(process.processIdentifier))

    #expect(cgroup.end())
    process.waitUntilExit()
    #expect(process.terminationStatus == SIGKILL)
    #expect(access(cgroup.path, F_OK) != 0)
    #expect(cgroup.end())
    #expect(other.end())
  }

  @Test(.enabled(if: canMakeCgroups, "no cgroup can be made here"))
  func onlyThoseOfTheDeadAreAbandoned() throws {
    let cgroup = try #require(StepCgroup.make())
    defer { cgroup.end() }
    let name = try #require(FilePath(cgroup.path).lastComponent?.string)
    let folder = FilePath(cgroup.path).removingLastComponent()
    var numbers = name.split(separator: "-").suffix(4).compactMap { UInt64($0) }
    try #require(numbers.count == 4)
    func made(_ numbers: [UInt64]) throws -> FilePath {
      let path = folder.appending("mqtt-fs-worker-" + numbers.map(String.init).joined(separator: "-"))
      try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: false)
      return path
    }
    // In turn: a reused pid, an unused pid, and a pid in another PID namespace, which is not visible here.
    let start = numbers[2]
    numbers[2] = start - 1
    let reused = try made(numbers)
    let gone = try made([numbers[0], UInt64(pid_t.max), start, 1])
    let foreign = try made([numbers[0] + 1, UInt64(pid_t.max), start, 1])
    defer { rmdir(foreign.string) }
    StepCgroup.endAbandoned()
    #expect(access(reused.string, F_OK) != 0)
    #expect(access(gone.string, F_OK) != 0)
    #expect(access(foreign.string, F_OK) == 0)
  }
}

private let canMakeCgroups = StepCgroup.make().map { $0.end() } ?? false
