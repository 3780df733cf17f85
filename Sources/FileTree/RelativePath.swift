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
