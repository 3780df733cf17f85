import Glibc
public import SystemPackage

/// Copies, compares, exports and removes trees of files, in parallel and exact to the byte.
///
/// All operations use descriptors and names relative to them (openat(2)) and follow no symlink, so a tree in hostile
/// hands cannot lead out of itself. The functions block their caller: call them from a thread that may block, not from
/// Swift's cooperative pool.
public enum FileTree {}

/// Why a tree could not be copied, compared, exported or removed: the operation, the path and the cause.
public struct FileTreeError: Error, Hashable, Sendable {
  /// The cause.
  public enum Reason: Hashable, Sendable {
    /// A system call failed. `Errno.noSpace`, for example, means a full disk.
    case system(Errno)
    /// The file was written to, replaced or removed while it was copied, and again during the second attempt.
    case sourceChanged
    /// The name contains a line feed, which a line of a digest cannot represent.
    case lineFeedInName
  }

  /// The operation, as words that follow "cannot": "copy (open)", "remove (unlink)".
  public let operation: String

  /// The path, relative to the root of the tree; empty for the root itself.
  public let path: RelativePath

  /// The cause.
  public let reason: Reason

  /// The errno of the system call; `nil` when the source changed.
  public var errno: Errno? {
    if case .system(let errno) = reason { errno } else { nil }
  }

  /// Whether the work was canceled, rather than failed.
  public var isCancellation: Bool { errno == .canceled }

  /// Creates an error about one path.
  public init(operation: String, path: RelativePath, reason: Reason) {
    self.operation = operation
    self.path = path
    self.reason = reason
  }
}

extension FileTreeError: CustomStringConvertible {
  /// A sentence with the path, the cause and what to do next.
  public var description: String {
    let place = path.bytes.isEmpty ? "the root of the tree" : "'\(path)'"
    switch reason {
    case .sourceChanged:
      return "\(place) changed twice while it was copied; finish writing it before the copy starts"
    case .lineFeedInName:
      return "\(place) has a line feed in its name, which a digest cannot represent; rename it"
    case .system(let errno):
      let sentence = "cannot \(operation) \(place): \(errno)"
      return advice(on: errno).map { "\(sentence); \($0)" } ?? sentence
    }
  }

  private func advice(on errno: Errno) -> String? {
    switch errno {
    case .noSpace: "free space or inodes on that file system"
    case Errno(rawValue: 122): "raise the disk quota, or delete files"
    case .permissionDenied, .notPermitted: "grant access to the user that runs this process"
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem: "raise the limit of open files (ulimit -n)"
    case .readOnlyFileSystem: "mount it writable"
    case .ioError: "look for device or network errors in the kernel log"
    case .improperLink: "it is a mount point, which is left alone; unmount it"
    case .resourceBusy: "it is a mount point or in use; unmount it, or end the processes that use it"
    default: nil
    }
  }
}

extension FileTreeError {
  init(_ verb: String, _ failure: SystemCallError, at path: RelativePath) {
    self.init(
      operation: "\(verb) (\(failure.call.rawValue))", path: path, reason: .system(Errno(rawValue: failure.code)))
  }
}

/// A path below the root of a tree, as the bytes the file system holds.
///
/// Linux file names are bytes, not text (path_resolution(7)): a Latin-1 name has no `String`, but it has a
/// `RelativePath`. Components are joined by `/`, without a leading or trailing `/`, and none is `.` or `..`.
public struct RelativePath: Hashable, Sendable {
  /// The bytes on disk, without a terminating NUL.
  public let bytes: [UInt8]

  /// Creates a path from the bytes of its components, already joined by `/`.
  public init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Creates a path from text; the file system sees its UTF-8 bytes.
  public init(_ text: String) {
    self.bytes = Array(text.utf8)
  }

  /// The path as text, or `nil` when its bytes are not UTF-8.
  public var text: String? {
    String(validating: bytes, as: UTF8.self)
  }
}

extension RelativePath: Comparable {
  /// Byte order, as of `LC_ALL=C sort`.
  public static func < (a: RelativePath, b: RelativePath) -> Bool {
    a.bytes.lexicographicallyPrecedes(b.bytes)
  }
}

extension RelativePath: CustomStringConvertible {
  /// The path for display: bytes that are not UTF-8 become U+FFFD.
  public var description: String {
    String(decoding: bytes, as: UTF8.self)
  }
}

extension RelativePath {
  /// The folders above it, without the root.
  public var parents: [RelativePath] {
    bytes.indices.filter { bytes[$0] == 0x2F }.map { RelativePath(bytes: Array(bytes[..<$0])) }
  }

  /// The path of its folder; empty at the top.
  var folder: ArraySlice<UInt8> {
    bytes.lastIndex(of: 0x2F).map { bytes[..<$0] } ?? []
  }

  /// The last component.
  var name: ArraySlice<UInt8> {
    bytes.lastIndex(of: 0x2F).map { bytes[($0 + 1)...] } ?? bytes[...]
  }
}

/// Converts a component of a path to a C string. Throws EINVAL for an invalid name: empty, `.`, `..`, or with a NUL.
func fileName(_ component: ArraySlice<UInt8>) throws(SystemCallError) -> [CChar] {
  let bytes = Array(component)
  if bytes.isEmpty || bytes == [0x2E] || bytes == [0x2E, 0x2E] || bytes.contains(0) {
    throw SystemCallError(call: .open, code: EINVAL)
  }
  return bytes.map { CChar(bitPattern: $0) } + [0]
}

/// The progress of a copy or an export.
public struct CopyProgress: Hashable, Sendable {
  /// The number of complete files and symlinks.
  public let files: Int

  /// The number of bytes copied, including those of incomplete files.
  public let bytes: Int64

  /// The time since the copy or export began.
  public let elapsed: Duration

  /// Creates a progress report.
  public init(files: Int, bytes: Int64, elapsed: Duration) {
    self.files = files
    self.bytes = bytes
    self.elapsed = elapsed
  }
}
