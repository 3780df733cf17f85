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

  var rest: UnsafeRawBufferPointer

  /// Reads the next piece of an open folder's listing. Empty at the end.
  init(of folder: Int32, buffer: UnsafeMutableRawBufferPointer) throws(SystemCallError) {
    let count = try retrying(.list) { linux_getdents(folder, buffer.baseAddress!, buffer.count) }
    rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
  }

  init(_ records: UnsafeRawBufferPointer) {
    rest = records
  }

  var isEmpty: Bool { rest.isEmpty }

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
