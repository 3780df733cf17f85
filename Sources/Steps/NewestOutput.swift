private import Glibc
import Jobs
import SystemPackage

/// The newest output of a step whose log is over its limit, in a temporary file without a name: the newest bytes are written
/// over the oldest.
final class NewestOutput: Sendable {
  private let file: FileDescriptor
  private let origin: Int64
  private let capacity: Int64

  /// For output from the byte `origin` on. Throws what open(2) answers.
  init(from origin: Int64, capacity: Int64, in folder: FilePath) throws(Errno) {
    self.origin = origin
    self.capacity = capacity
    let path = folder.appending(".log-\(UInt64.random(in: 0 ... .max))")
    do {
      file = try .open(
        path, .readWrite, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec], permissions: .ownerReadWrite)
    } catch {
      throw Errno(error)
    }
    unlink(path.string)
  }

  deinit { try? file.close() }

  /// Writes what comes first: all of the bytes, as the byte `offset` of the output and what follows it.
  func begin(with bytes: [UInt8], at offset: Int64) throws(Errno) { try file.store(bytes, at: place(of: offset)) }

  /// Writes some of the bytes, from the first on, which is the byte `offset` of the output. Returns how many.
  func put(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
    try file.put(bytes, at: place(of: offset), before: capacity)
  }

  /// At most `count` bytes of the output up to `end`, from `offset` on, or from the first after it that is still held.
  func read(from offset: Int64, to end: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    let start = max(offset, origin, end - capacity)
    let place = place(of: start)
    return (start, file.piece(at: place, min(Int64(count), end - start, capacity - place)))
  }

  private func place(of offset: Int64) -> Int64 { (offset - origin) % capacity }
}

extension FileDescriptor {
  /// pwrite(2): some of the bytes, from the first on, and none beyond `end`. Returns how many.
  func put(_ bytes: UnsafeRawBufferPointer, at place: Int64, before end: Int64) throws(Errno) -> Int {
    let count: Int
    do {
      count = try write(
        toAbsoluteOffset: place,
        UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(min(Int64(bytes.count), end - place)))))
    } catch {
      throw Errno(error)
    }
    guard count > 0 else { throw .ioError }
    return count
  }

  /// pread(2): fewer bytes, or none, where there are no more or they cannot be read.
  func piece(at place: Int64, _ count: Int64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(max(0, count))) { buffer, filled in
      filled = (try? read(fromAbsoluteOffset: place, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
    }
  }
}
