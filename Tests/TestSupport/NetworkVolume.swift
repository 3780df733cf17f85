import Foundation
import Glibc
public import SystemPackage

/// A folder that behaves like a bad network volume: calls that succeeded report a failure, times come from another
/// clock, and calls hang. `retransmitting.py` beside this file documents the rules.
public final class NetworkVolume: Sendable {
  /// Whether this machine can run one: that needs root, /dev/fuse and Python.
  public static let isPossible =
    geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0 && access(python.string, X_OK) == 0
  /// Why tests that need one are skipped elsewhere.
  public static let demand = "only root can mount a file system of its own, with /dev/fuse and python3"

  private static let python: FilePath = "/usr/bin/python3"
  private static let program = FilePath(#filePath).removingLastComponent().appending("retransmitting.py")

  /// Where it is mounted.
  public let path: FilePath
  private let rules: FilePath

  private init(_ path: FilePath, _ rules: FilePath) {
    self.path = path
    self.rules = rules
  }

  /// Makes `folder` and `path`, and shows the one at the other while `body` runs.
  public static func showing(
    _ folder: FilePath, at path: FilePath, in scene: Scene, rules: [String] = [],
    _ body: (NetworkVolume) async throws -> Void
  ) async throws {
    for needed in [folder, path] {
      try FileManager.default.createDirectory(atPath: needed.string, withIntermediateDirectories: true)
    }
    let file = scene.files.appending("rules-\(UUID().uuidString.prefix(8))")
    let volume = NetworkVolume(path, file)
    try volume.answer(rules)
    let server = try scene.start(
      python, [program.string, folder.string, path.string, file.string], environment: [:], name: "volume")
    do {
      try await eventually("a mounted volume") {
        if let end = server.end { throw WaitedInVain("the volume ended with \(end): \(server.errors)") }
        return server.output.contains("mounted")
      }
      try await body(volume)
    } catch {
      umount2(path.string, Int32(MNT_DETACH))
      throw error
    }
    // Processes that still run there would find nothing any more.
    try await scene.everybodyLeaves()
    umount2(path.string, Int32(MNT_DETACH))
    try await server.end()
  }

  /// Replaces the rules.
  public func answer(_ rules: [String]) throws {
    let new = FilePath("\(self.rules).new")
    try (rules.joined(separator: "\n") + "\n").write(toFile: new.string, atomically: false, encoding: .utf8)
    guard rename(new.string, self.rules.string) == 0 else { throw Errno(rawValue: errno) }
  }

  /// The effects of rules so far, one line each: the rule, and the path.
  public var answers: [String] {
    let text = FileManager.default.contents(atPath: "\(rules).log").map { String(decoding: $0, as: UTF8.self) }
    return (text ?? "").split(separator: "\n").map(String.init)
  }
}
