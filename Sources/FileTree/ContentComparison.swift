import Glibc

/// Compares the content of a file or symlink in two folders.
struct ContentComparison {
  let name: FileName
  let folder: Int32
  let otherFolder: Int32
  /// The first half holds data of one file, the second half data of the other.
  let buffer: UnsafeMutableRawBufferPointer
  let isCanceled: @Sendable () -> Bool

  /// The result of a comparison.
  enum Result {
    case same
    /// `isOriginal` tells whether the other file still has the mtime with which it was copied.
    case different(isOriginal: Bool)
    /// At least one of the two could not be read.
    case unknown
  }

  func compareSymlinks(since modified: Int64) throws(SystemCallError) -> Result {
    if try symlinkTarget(name, in: folder) == symlinkTarget(name, in: otherFolder) { return .same }
    return .different(isOriginal: try status(of: name, in: otherFolder).modified == modified)
  }

  func compareFiles(since modified: Int64) throws(SystemCallError) -> Result {
    let one = try openFile(in: folder, name)
    defer { close(one) }
    let other = try openFile(in: otherFolder, name)
    defer { close(other) }
    let (oneStatus, otherStatus) = (try status(of: one), try status(of: other))
    guard oneStatus.kind == .file, otherStatus.kind == .file else { return .different(isOriginal: false) }
    let half = buffer.count / 2
    let first = UnsafeMutableRawBufferPointer(rebasing: buffer[..<half])
    let second = UnsafeMutableRawBufferPointer(rebasing: buffer[half...])
    let holes = (HoleMap(one, oneStatus), HoleMap(other, otherStatus))
    var offset: Int64 = 0
    while true {
      if isCanceled() { throw SystemCallError(call: .read, code: ECANCELED) }
      // Skip ranges that are holes in both files.
      offset = min(try holes.0.nextData(from: offset), try holes.1.nextData(from: offset))
      let count = try readFull(one, into: first, at: offset)
      guard try readFull(other, into: second, at: offset) == count,
        memcmp(first.baseAddress!, second.baseAddress!, count) == 0
      else { return .different(isOriginal: otherStatus.modified == modified) }
      if count < half { return .same }
      offset &+= Int64(count)
    }
  }
}
