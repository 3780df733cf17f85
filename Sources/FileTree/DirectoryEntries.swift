import CLinux
import Glibc

/// A piece of a folder's listing as getdents64(2) wrote it: records of inode (8 bytes), offset (8), length (2), type
/// (1) and the NUL-terminated name.
struct DirectoryEntries {
  /// Holds some hundreds of names: a typical folder then takes two calls, and a piece of a large listing is worth
  /// sharing.
  static let bufferSize = 32 * 1024

  private static let lengthOffset = 16
  private static let typeOffset = 18
  private static let nameOffset = 19

  private var rest: UnsafeRawBufferPointer

  /// Lists an open folder: calls `body` with one piece after the other, as long as `isWanted`.
  @inline(__always)
  static func pieces(
    of folder: Int32, into buffer: Buffer, while isWanted: () -> Bool = { true },
    _ body: (inout DirectoryEntries) throws(SystemCallError) -> Void
  ) throws(SystemCallError) {
    let bytes = buffer.bytes
    defer { withExtendedLifetime(buffer) {} }
    while isWanted() {
      let count = try retrying(.list) { linux_getdents(folder, bytes.baseAddress!, bytes.count) }
      if count == 0 { return }
      var entries = DirectoryEntries(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      try body(&entries)
    }
  }

  init(_ records: UnsafeRawBufferPointer) {
    rest = records
  }

  /// The next entry other than `.` and `..`. Its name is valid as long as the buffer is.
  @inline(__always)
  mutating func next() -> (name: FileName, kind: FileKind)? {
    while let record = rest.baseAddress, !rest.isEmpty {
      let length = Int(record.loadUnaligned(fromByteOffset: Self.lengthOffset, as: UInt16.self))
      let type = record.load(fromByteOffset: Self.typeOffset, as: UInt8.self)
      let name = (record + Self.nameOffset).assumingMemoryBound(to: CChar.self)
      rest = UnsafeRawBufferPointer(rebasing: rest[length...])
      if name[0] == 0x2E, name[1] == 0 || (name[1] == 0x2E && name[2] == 0) { continue }
      return (name, FileKind(directoryEntryType: type))
    }
    return nil
  }

  /// Cuts off the second half for another thread; `nil` when too little is left to share.
  mutating func split() -> [UInt8]? {
    let fewest = 2048
    guard rest.count >= fewest else { return nil }
    var middle = 0
    while middle < rest.count / 2 {
      middle += Int(rest.loadUnaligned(fromByteOffset: middle + Self.lengthOffset, as: UInt16.self))
    }
    guard middle < rest.count else { return nil }
    let half = [UInt8](rest[middle...])
    rest = UnsafeRawBufferPointer(rebasing: rest[..<middle])
    return half
  }
}

/// Memory that one thread of a walk reads into. Untouched pages take none.
final class Buffer {
  let bytes: UnsafeMutableRawBufferPointer

  private init(_ size: Int, alignment: Int) {
    bytes = .allocate(byteCount: size, alignment: alignment)
  }

  deinit { bytes.deallocate() }

  /// For the listing of a folder.
  static func forListing() -> Buffer { Buffer(DirectoryEntries.bufferSize, alignment: 16) }

  /// For the content of files.
  static func forContent() -> Buffer { Buffer(256 << 10, alignment: 4096) }
}

/// The kind of a directory entry.
enum FileKind {
  case file, symlink, folder, fifo, socket, device, unknown

  init(mode: mode_t) {
    switch mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFLNK: self = .symlink
    case S_IFDIR: self = .folder
    case S_IFIFO: self = .fifo
    case S_IFSOCK: self = .socket
    case S_IFBLK, S_IFCHR: self = .device
    default: self = .unknown
    }
  }

  /// Converts `d_type` of getdents64(2); file systems that do not store the type report `unknown`.
  init(directoryEntryType type: UInt8) {
    self.init(mode: mode_t(type) << 12)
  }

  /// The reason why entries of this kind are neither copied nor exported; `nil` for those that are.
  var skipReason: SkippedEntry.Reason? {
    switch self {
    case .fifo: .fifo
    case .socket: .socket
    case .device: .device
    case .unknown: .unknownKind
    case .file, .symlink, .folder: nil
    }
  }
}

/// Names that are excluded at the top of a tree.
struct ExcludedNames {
  private let names: [[CChar]]

  init(_ names: Set<String>) {
    self.names = names.map { $0.utf8CString.map { $0 } }
  }

  func contains(_ name: FileName) -> Bool {
    names.contains { strcmp($0, name) == 0 }
  }
}
