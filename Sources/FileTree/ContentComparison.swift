import Glibc

/// Whether a file or symlink has the same content in two folders.
struct ContentComparison {
  let name: FileName
  let folder: Int32
  let otherFolder: Int32
  /// Half for each file.
  let buffer: UnsafeMutableRawBufferPointer
  let isCanceled: @Sendable () -> Bool

  /// What came of it.
  enum Result {
    case same
    /// `isOriginal` tells whether the other one still has the mtime with which it was copied.
    case different(isOriginal: Bool)
    /// One of them could not be read.
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
      // What is a hole in both is the same in both.
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
