import FileTree
import Foundation
import SystemPackage

/// A temporary folder for one test, removed afterwards.
final class Scratch {
  let path: String
  let descriptor: FileDescriptor

  init() throws {
    var template = Array((NSTemporaryDirectory() + "/filetree-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: .directory)
  }

  deinit {
    try? descriptor.close()
    let name = String(path.split(separator: "/").last!)
    if let parent = try? FileDescriptor.open(FilePath(NSTemporaryDirectory()), .readOnly, options: .directory) {
      try? FileTree.remove(name, in: parent)
      try? parent.close()
    }
  }

  /// The path of an open file, from proc(5).
  static func place(of descriptor: Int32) throws -> String {
    try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
  }

  subscript(_ name: String) -> String { path + "/" + name }

  /// Runs a shell script in the folder; the paths in a test then read as a user would type them.
  @discardableResult
  func shell(_ script: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-euc", script]
    process.currentDirectoryURL = URL(fileURLWithPath: path)
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ShellFailure(script: script, status: process.terminationStatus) }
    return String(decoding: data, as: UTF8.self)
  }

  /// Writes a file, and the folders above it.
  func write(_ name: String, _ content: String) throws {
    let file = URL(fileURLWithPath: self[name])
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(content.utf8).write(to: file)
  }

  struct ShellFailure: Error {
    let script: String
    let status: Int32
  }

  /// Opens a subfolder, during the call.
  func open<Result>(_ name: String, _ body: (FileDescriptor) throws -> Result) throws -> Result {
    let folder = try FileDescriptor.open(FilePath(self[name]), .readOnly, options: .directory)
    return try folder.closeAfter { try body(folder) }
  }
}

extension Scratch {
  /// Copies `source` into the new folder `stage`.
  @discardableResult
  func stage(excluding: Set<String> = [], selecting selection: Selection = .all) throws -> Snapshot {
    try shell("mkdir stage")
    return try open("source") { source in
      try open("stage") { try FileTree.copy(source, to: $0, excluding: excluding, selecting: selection) }
    }
  }

  /// The changes in `stage`.
  func changes(since snapshot: Snapshot, selecting selection: Selection = .all) throws -> Changes {
    try open("source") { source in
      try open("stage") {
        try FileTree.changes(in: $0, since: snapshot, original: source, selecting: selection)
      }
    }
  }

  /// Exports from `stage` into `results`.
  func export(
    _ changes: Changes, storedAs: (RelativePath) -> RelativePath? = { _ in nil }, owner: Owner? = nil
  ) throws -> Export {
    try shell("mkdir -p results")
    return try open("stage") { stage in
      try open("results") {
        try FileTree.export(changes, from: stage, to: $0, storedAs: storedAs, owner: owner)
      }
    }
  }

  func remove(_ name: String) throws {
    try FileTree.remove(name, in: descriptor)
  }

  /// Every entry below a folder with everything that a copy keeps: kind, mode, mtime, and content or target.
  /// Independent of the code under test: the output of find(1) and sha256sum(1).
  func listing(_ name: String) throws -> [String] {
    let format = #"%P\t%y\t%m\t%T@\t%l\n"#
    let names = try shell("cd '\(name)' && LC_ALL=C find . -mindepth 1 -printf '\(format)'")
    let sums = try shell("cd '\(name)' && find . -type f -readable -print0 | LC_ALL=C xargs -0 -r sha256sum -b")
    return (names + sums).split(separator: "\n").map(String.init).sorted()
  }
}

extension Changes {
  /// `+` new, `~` modified, `-` deleted.
  var lines: [String] {
    changed.map { ($0.change == .new ? "+" : "~") + $0.path.description } + deleted.map { "-" + $0.description }
  }
}
