import CLinux
import Glibc

/// Copies the content of one open file into another that is empty, holes as holes.
struct ContentCopy {
  /// From this size on a file, or a piece of one, is worth a call or a look of its own.
  static let largeFile: Int64 = 1 << 20

  /// What one call moves at most: progress is told between calls.
  private static let mostAtOnce: Int64 = 16 << 20

  let source: Int32
  let destination: Int32
  let methods: CopyMethods
  let buffer: UnsafeMutableRawBufferPointer
  let moved: ((Int64) throws(CallFailure) -> Void)?

  /// Copies what the source held when `status` was taken; what is appended meanwhile may be missed.
  func run(_ status: stat) throws(CallFailure) {
    let size = Int64(status.st_size)
    if size > 0, try methods.clone(from: source, to: destination) {
      try moved?(size)
      return
    }
    // The kernel then reads twice as far ahead (posix_fadvise(2)); for a file of a page or two it would only cost a call.
    if size >= Self.largeFile { posix_fadvise(source, 0, 0, POSIX_FADV_SEQUENTIAL) }
    let map = HoleMap(source, status)
    guard map.mayHaveHoles else {
      return try copy(0..<size)
    }
    var offset: Int64 = 0
    while offset < size, let data = try map.nextRange(from: offset) {
      try copy(data)
      offset = data.upperBound
    }
    // The hole at the end.
    _ = try retrying(.setSize) { ftruncate(destination, off_t(size)) }
  }

  private func copy(_ range: Range<Int64>) throws(CallFailure) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let length = min(Self.mostAtOnce, range.upperBound - offset)
      var count = try methods.copyRange(from: source, to: destination, at: offset, length: length)
      if count == nil { count = try copyByReading(at: offset, length: length) }
      guard let count, count > 0 else { return }
      offset += count
      try moved?(count)
    }
  }

  private func copyByReading(at offset: Int64, length: Int64) throws(CallFailure) -> Int64 {
    let most = min(buffer.count, Int(length))
    let count = try retrying(.read) { pread(source, buffer.baseAddress!, most, off_t(offset)) }
    try writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: destination, at: offset)
    return Int64(count)
  }
}
