private import FoundationEssentials
private import Glibc
private import Synchronization
import SystemPackage
import Volume

/// A folder for an examination, of which nothing is left.
struct Scratch: Sendable {
  package let folder: FilePath
  private let madeParent: Bool

  /// Makes the folder below `parent`, which is made, too, if only it is missing.
  init(in parent: FilePath) throws(VolumeError) {
    folder = parent.appending("doctor-\(String(UInt64.random(in: 0 ... .max), radix: 36))")
    madeParent = mkdir(parent.string, 0o755) == 0
    guard mkdir(folder.string, 0o700) == 0 else { throw VolumeError("writing to", parent, lastError()) }
  }

  /// Removes all.
  package func remove() {
    try? FileManager.default.removeItem(atPath: folder.string)
    if madeParent { rmdir(folder.removingLastComponent().string) }
  }

  package func path(_ name: String) -> FilePath { folder.appending(name) }

  /// Writes a file, and returns its path.
  @discardableResult
  package func write(_ text: String, to name: String) throws(VolumeError) -> FilePath {
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

  package func read(_ name: String) throws(VolumeError) -> String {
    guard let bytes = FileManager.default.contents(atPath: path(name).string) else {
      throw VolumeError("reading", path(name), lastError())
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The errno of the call before.
func lastError() -> Errno { Errno(rawValue: errno) }

/// A number that several threads count up.
final class Count: Sendable {
  private let number = Atomic(0)

  package var value: Int { number.load(ordering: .sequentiallyConsistent) }

  func increment() { number.add(1, ordering: .sequentiallyConsistent) }
}
