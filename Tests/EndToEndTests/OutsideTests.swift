import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A worker makes nothing outside its two folders, whatever a job asks for.
@Suite struct OutsideTests {
  @Test func hostileIDsReachNothing() async throws {
    try await Scene.play { scene in
      let victim = scene.files.appending("victim")
      try scene.write(#"{"steps":["touch here"]}"#, victim.appending("job.json"))
      try scene.write("secret", scene.root.appending("x/job.json"))
      try scene.job("good", steps: ["true"])
      let bus = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker()
      try await worker.listens()
      let before = try audit(scene)
      for id in BadRequest.ids + ["../files/victim", "good/../../files/victim", victim.string, "good/", "./good"] {
        for steps in [#", "steps": ["touch here"]"#, ""] {
          bus.clear()
          try await scene.broker.publish("jobs/pending", "{\"id\": \"\(id)\"\(steps)}")
          try await bus.message(on: "jobs/rejected")
        }
      }
      #expect(try audit(scene) == before)
      try await scene.send("good")
      #expect(try await worker.end() == .code(0))
    }
  }

  /// Another user of the volume exchanges a job's name, as fast as it can, between a job and a folder outside.
  @Test func nameThatIsExchangedLeadsNoJobOutside() async throws {
    try await Scene.play { scene in
      let outside = scene.files.appending("outside")
      try scene.write(#"{"steps": ["cat secret; touch made"]}"#, outside.appending("job.json"))
      try scene.write("not the job's", outside.appending("secret"))
      try scene.job("real", steps: ["true"])
      let (evil, next) = (scene.jobs.appending("evil").string, scene.jobs.appending("next").string)
      let bus = try await scene.broker.collect("jobs/#")
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      let exchanger = Task.detached {
        while !Task.isCancelled {
          for target in ["real", outside.string] {
            symlink(target, next)
            rename(next, evil)
            await Task.yield()
          }
        }
      }
      for number in 1...30 {
        try await scene.broker.publish("jobs/pending", "{\"id\": \"evil\", \"requestId\": \"r\(number)\"}")
        try await eventually("an answer to request \(number)") {
          (bus.messages(on: "jobs/results/evil") + bus.messages(on: "jobs/rejected")).count >= number
        }
        #expect(scene.text("real", "results/step_0.log")?.contains("not the job's") != true)
      }
      exchanger.cancel()
      await exchanger.value
      #expect(Set(scene.listing(outside)) == ["job.json", "secret"])
      #expect(!bus.messages(on: "jobs/results/evil").isEmpty, "the name never led to the job")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  /// All entries in the scene except the broker's, the output of processes, and the files through which workers
  /// coordinate; with their times of access and change.
  private func audit(_ scene: Scene) throws -> [String: [Int]] {
    var entries: [String: [Int]] = [:]
    for path in scene.listing(scene.root) {
      guard !path.hasPrefix("broker/"), !path.hasPrefix("jobs/.worker/"), !path.hasSuffix(".err"),
        !path.hasSuffix(".out"), path != "files/"
      else { continue }
      var status = stat()
      guard lstat(scene.root.pushing(FilePath(path)).string, &status) == 0 else { throw Errno(rawValue: errno) }
      // This listing itself changes the access times of folders, but nothing may read files.
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      entries[path] = [
        isFolder ? 0 : status.st_atim.tv_nsec, status.st_mtim.tv_nsec, status.st_ctim.tv_nsec, Int(status.st_ino),
      ]
    }
    return entries
  }

  @Test(.enabled(if: isTraceable, "strace is not installed, or may not trace"))
  func everythingThatIsWrittenLiesInTheTwoFolders() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo out; echo new > made.txt"], ["sub/input.txt": "x"])
      let trace = scene.files.appending("trace")
      let process = try scene.start(
        installed("strace"),
        [
          "-f", "-y", "-qq", "-s", "4096", "-e", "trace=%file", "-e", "signal=none", "-o", trace.string,
          try WorkerProcess.executable.string, "-u", scene.broker.url, "-j", scene.jobs.string, "-w",
          scene.workspaces.string,
        ], name: "strace")
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      #expect(try await process.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      let lines = try String(contentsOfFile: trace.string, encoding: .utf8).split(separator: "\n").map(String.init)
      let written = lines.filter(Trace.writes).flatMap(Trace.paths)
      #expect(written.count > 20)
      // A step's cgroup is not a file, and is gone after the step.
      let strangers = written.filter { path in
        path != "/dev/null" && !path.hasPrefix("/sys/fs/cgroup/") && !path.hasPrefix("\(scene.jobs)/")
          && !path.hasPrefix("\(scene.workspaces)/")
          && path != scene.jobs.string && path != scene.workspaces.string
      }
      #expect(strangers.isEmpty)
    }
  }

  private static let isTraceable: Bool = {
    guard let strace = try? installed("strace") else { return false }
    let test = Process()
    test.executableURL = URL(filePath: strace.string)
    test.arguments = ["-o", "/dev/null", "true"]
    test.standardError = FileHandle.nullDevice
    guard (try? test.run()) != nil else { return false }
    test.waitUntilExit()
    return test.terminationStatus == 0
  }()
}

/// Lines of strace(1) with `-f -y`: `123 openat(4</jobs>, "x", O_WRONLY|O_CREAT, 0644) = 5</jobs/x>`.
private enum Trace {
  private static let changing = [
    "mkdir", "rename", "unlink", "rmdir", "link", "symlink", "chmod", "fchmodat", "chown", "lchown", "fchownat",
    "truncate", "mknod", "utime", "setxattr", "removexattr", "creat",
  ]

  static func writes(_ line: String) -> Bool {
    let call = line.drop { $0.isNumber || $0 == " " }.prefix { $0 != "(" }
    guard line.contains(") = "), !line.contains(") = -1") else { return false }
    if call.hasPrefix("open") {
      return ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].contains { line.contains($0) }
    }
    return changing.contains { call.hasPrefix($0) }
  }

  /// The paths in the call's arguments, from the root.
  static func paths(_ line: String) -> [String] {
    let call = line[..<(line.range(of: ") = ", options: .backwards)?.lowerBound ?? line.endIndex)]
    var folder = ""
    var paths: [String] = []
    for match in call.matches(of: #/(?:AT_FDCWD|\d+)<([^>]*)>|"((?:[^"\\]|\\.)*)"/#) {
      if let name = match.output.2 {
        let path = name.hasPrefix("/") ? FilePath(String(name)) : FilePath(folder).pushing(FilePath(String(name)))
        paths.append(path.lexicallyNormalized().string)
      } else if let directory = match.output.1 {
        folder = String(directory)
      }
    }
    return paths
  }
}
