import Glibc
import SystemPackage

/// A stretch of a file that is rearranged in place, with a memory of 1 MiB however long it is.
struct FileRegion {
  let descriptor: Int32
  let start: Int64
  let count: Int64

  private static let blockSize = 512 * 1024

  /// Moves the byte at `offset` to the front, and those before it to the end: three reversals.
  func rotate(by offset: Int64) throws(Errno) {
    guard offset > 0, offset < count else { return }
    try reverse(0, offset)
    try reverse(offset, count)
    try reverse(0, count)
  }

  func overwrite(with bytes: [UInt8]) throws(Errno) { try write(bytes, at: 0) }

  private func reverse(_ from: Int64, _ to: Int64) throws(Errno) {
    var low = from
    var high = to
    while low < high {
      // While the two blocks would overlap, smaller ones do; the last one, in the middle, is its own counterpart.
      let size = high - low <= Int64(Self.blockSize) ? high - low : min(Int64(Self.blockSize), (high - low) / 2)
      let first = try read(Int(size), at: low)
      guard high - low > size else { return try write(first.reversed(), at: low) }
      try write(try read(Int(size), at: high - size).reversed(), at: low)
      try write(first.reversed(), at: high - size)
      low += size
      high -= size
    }
  }

  private func read(_ size: Int, at offset: Int64) throws(Errno) -> [UInt8] {
    var problem: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      while filled < size {
        let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
        let got = pread(descriptor, rest.baseAddress, rest.count, off_t(start + offset) + filled)
        if got < 0, errno == EINTR { continue }
        guard got > 0 else {
          // A file that was cut short under us ends early.
          problem = Errno(rawValue: got < 0 ? errno : EIO)
          return
        }
        filled += got
      }
    }
    if let problem { throw problem }
    return bytes
  }

  private func write(_ bytes: [UInt8], at offset: Int64) throws(Errno) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(start + offset) + done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Errno(rawValue: count < 0 ? errno : EIO) }
      done += count
    }
  }
}
