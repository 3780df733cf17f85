private import FoundationEssentials
private import Glibc
private import Synchronization
import SystemPackage
import Volume

/// A temporary folder for an examination.
struct Scratch: Sendable {
  let folder: FilePath
  /// The folder's name.
  let name: String
  private let madeParent: Bool

  /// Creates the folder below `parent`, and `parent` itself if it is missing.
  init(in parent: FilePath) throws(VolumeError) {
    name = "doctor-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    folder = parent.appending(name)
    madeParent = mkdir(parent.string, 0o777) == 0
    guard mkdir(folder.string, 0o700) == 0 else { throw VolumeError("writing to", parent) }
  }

  /// The same folder, as another mount shows it below `parent`.
  init(_ scratch: Scratch, below parent: FilePath) {
    name = scratch.name
    folder = parent.appending(name)
    madeParent = false
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
