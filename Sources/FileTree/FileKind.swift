import Glibc

/// What lies behind a name in a folder.
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

  /// From the `d_type` of getdents64(2); file systems that do not keep it say `unknown`.
  init(directoryEntryType type: UInt8) {
    self.init(mode: mode_t(type) << 12)
  }

  /// Why an entry of this kind is neither copied nor exported; `nil` when it is.
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
