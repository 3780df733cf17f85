import FoundationEssentials

/// A file in results/ that the job created or changed: an element of `artifacts` in result.json.
package struct Artifact: Codable, Sendable, Equatable {
  /// The kind of change.
  package enum Change: String, Codable, Sendable {
    /// The file did not exist when staging ended.
    case new
    /// The file existed with other content.
    case modified
    /// The file existed with the same content and other permission bits.
    case mode
  }

  /// The path below the workspace, and below results/ unless `storedAs` is set.
  package var path: WorkspacePath
  /// Bytes of content.
  package var size: Int
  /// The permission bits as four octal digits, `0644`; see ``octal(_:)``.
  package var mode: String
  /// The content's SHA-256 in lower-case hexadecimal; none for an entry without content, such as a symbolic link.
  package var sha256: String?
  /// The kind of change.
  package var change: Change
  /// The path below results/, if the worker reserves the file's own path there.
  package var storedAs: WorkspacePath?

  /// An artifact with these values.
  package init(
    path: WorkspacePath, size: Int, mode: String, sha256: String?, change: Change, storedAs: WorkspacePath? = nil
  ) {
    self.path = path
    self.size = size
    self.mode = mode
    self.sha256 = sha256
    self.change = change
    self.storedAs = storedAs
  }

  /// The permission bits of an st_mode (inode(7)) as ``mode`` writes them; without the file type.
  package static func octal(_ mode: UInt32) -> String { String(mode & 0o7777, radix: 8, width: 4) }

  private enum CodingKeys: String, CodingKey {
    case path, pathBase64, size, mode, sha256, change, storedAs, storedAsBase64
  }

  /// Reads an object. Throws a `DecodingError` unless ``encode(to:)`` writes such an object.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    path = try container.decodePath(.path, orBase64: .pathBase64)
    size = try container.decode(Int.self, forKey: .size)
    mode = try container.decode(String.self, forKey: .mode)
    sha256 = try container.decodeIfPresent(String.self, forKey: .sha256)
    change = try container.decode(Change.self, forKey: .change)
    let isStoredElsewhere = container.contains(.storedAs) || container.contains(.storedAsBase64)
    storedAs = isStoredElsewhere ? try container.decodePath(.storedAs, orBase64: .storedAsBase64) : nil
  }

  /// Writes an object with `path`, or `pathBase64` for a path that is not UTF-8; likewise `storedAs`.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(path, as: .path, orBase64: .pathBase64)
    try container.encode(size, forKey: .size)
    try container.encode(mode, forKey: .mode)
    try container.encodeIfPresent(sha256, forKey: .sha256)
    try container.encode(change, forKey: .change)
    if let storedAs {
      try container.encode(storedAs, as: .storedAs, orBase64: .storedAsBase64)
    }
  }
}

/// An entry that was not copied, and the reason: an element of `skipped` in result.json.
package struct SkippedPath: Codable, Sendable, Equatable {
  /// The path below the workspace.
  package var path: WorkspacePath
  /// The reason, as the end of a sentence (“a FIFO”, “a symbolic link that leaves the workspace”).
  package var reason: String

  /// A path and the reason.
  package init(path: WorkspacePath, reason: String) {
    self.path = path
    self.reason = reason
  }

  private enum CodingKeys: String, CodingKey {
    case path, pathBase64, reason
  }

  /// Reads an object. Throws a `DecodingError` unless ``encode(to:)`` writes such an object.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    path = try container.decodePath(.path, orBase64: .pathBase64)
    reason = try container.decode(String.self, forKey: .reason)
  }

  /// Writes an object with `path`, or `pathBase64` for a path that is not UTF-8.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(path, as: .path, orBase64: .pathBase64)
    try container.encode(reason, forKey: .reason)
  }
}

/// A path below a job's workspace, as the bytes of the file system: it need not be text (path_resolution(7)).
package struct WorkspacePath: Hashable, Sendable, CustomStringConvertible {
  /// The path without a terminating NUL, and without a leading or trailing `/`.
  package let bytes: [UInt8]

  /// A path of these bytes.
  package init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// A path from text.
  package init(_ text: String) {
    bytes = Array(text.utf8)
  }

  /// The path as text; `nil` when its bytes are not UTF-8.
  package var text: String? { String(validating: bytes, as: UTF8.self) }

  /// The path for people: bytes that are not UTF-8 become U+FFFD.
  package var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// A path in `deleted` of result.json: a string, or `{"pathBase64": …}`.
extension WorkspacePath: Codable {
  private enum CodingKeys: String, CodingKey {
    case path, pathBase64
  }

  /// Reads a string or an object. Throws a `DecodingError` when it is neither.
  package init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      self.init(text)
    } else {
      self = try decoder.container(keyedBy: CodingKeys.self).decodePath(.path, orBase64: .pathBase64)
    }
  }

  /// Writes a string, or an object for a path that is not UTF-8.
  package func encode(to encoder: any Encoder) throws {
    if let text {
      var container = encoder.singleValueContainer()
      try container.encode(text)
    } else {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(self, as: .path, orBase64: .pathBase64)
    }
  }
}

// JSON has no byte strings: a path that is not UTF-8 is written under another key, in base64 (RFC 4648, section 4).
extension KeyedEncodingContainer {
  package mutating func encode(_ path: WorkspacePath, as key: Key, orBase64 base64Key: Key) throws {
    if let text = path.text {
      try encode(text, forKey: key)
    } else {
      try encode(Data(path.bytes).base64EncodedString(), forKey: base64Key)
    }
  }
}

extension KeyedDecodingContainer {
  func decodePath(_ key: Key, orBase64 base64Key: Key) throws -> WorkspacePath {
    if let text = try decodeIfPresent(String.self, forKey: key) {
      return WorkspacePath(text)
    }
    guard let bytes = Data(base64Encoded: try decode(String.self, forKey: base64Key)) else {
      throw DecodingError.dataCorruptedError(forKey: base64Key, in: self, debugDescription: "it is not base64")
    }
    return WorkspacePath(bytes: Array(bytes))
  }
}
