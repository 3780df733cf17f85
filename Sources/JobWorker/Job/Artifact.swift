internal import FoundationEssentials
public import FileTree

/// A file that the job made or changed, and that lies in its results/: an element of result.json's `artifacts`.
public struct Artifact: Codable, Sendable, Equatable {
  /// What happened to the file.
  public enum Change: String, Codable, Sendable {
    /// It was not there when staging ended.
    case new
    /// It was, with other content.
    case modified
  }

  /// The path below the workspace, and below results/ unless `storedAs` tells another.
  public var path: RelativePath
  /// Bytes of content.
  public var size: Int
  /// The permission bits as four octal digits, `0644`; see ``octal(_:)``.
  public var mode: String
  /// The content's SHA-256 in lower-case hexadecimal; none for what has no content, as a symbolic link.
  public var sha256: String?
  /// What happened to the file.
  public var change: Change
  /// Where it lies below results/, when its own path is reserved there.
  public var storedAs: RelativePath?

  /// An artifact of the given parts.
  public init(
    path: RelativePath, size: Int, mode: String, sha256: String?, change: Change, storedAs: RelativePath? = nil
  ) {
    self.path = path
    self.size = size
    self.mode = mode
    self.sha256 = sha256
    self.change = change
    self.storedAs = storedAs
  }

  /// The permission bits of an st_mode (inode(7)) as ``mode`` writes them; the file type is left off.
  public static func octal(_ mode: UInt32) -> String {
    let digits = String(mode & 0o7777, radix: 8)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }

  private enum CodingKeys: String, CodingKey {
    case path, pathBase64, size, mode, sha256, change, storedAs, storedAsBase64
  }

  /// Reads an object. Throws a `DecodingError` when it is not one that ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
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
  public func encode(to encoder: any Encoder) throws {
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

/// Something that was not brought along, and why: an element of result.json's `skipped`.
public struct SkippedPath: Codable, Sendable, Equatable {
  /// The path below the workspace.
  public var path: RelativePath
  /// Why it was left, as a sentence's end (“a FIFO”, “a symbolic link that leaves the workspace”).
  public var reason: String

  /// A path and why it was left.
  public init(path: RelativePath, reason: String) {
    self.path = path
    self.reason = reason
  }

  private enum CodingKeys: String, CodingKey {
    case path, pathBase64, reason
  }

  /// Reads an object. Throws a `DecodingError` when it is not one that ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    path = try container.decodePath(.path, orBase64: .pathBase64)
    reason = try container.decode(String.self, forKey: .reason)
  }

  /// Writes an object with `path`, or `pathBase64` for a path that is not UTF-8.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(path, as: .path, orBase64: .pathBase64)
    try container.encode(reason, forKey: .reason)
  }
}

/// A path as result.json's `deleted` has it: a string, or `{"pathBase64": …}`.
extension RelativePath: Codable {
  private enum CodingKeys: String, CodingKey {
    case path, pathBase64
  }

  /// Reads a string or an object. Throws a `DecodingError` when it is neither.
  public init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      self.init(text)
    } else {
      self = try decoder.container(keyedBy: CodingKeys.self).decodePath(.path, orBase64: .pathBase64)
    }
  }

  /// Writes a string, or an object for a path that is not UTF-8.
  public func encode(to encoder: any Encoder) throws {
    if let text {
      var container = encoder.singleValueContainer()
      try container.encode(text)
    } else {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(self, as: .path, orBase64: .pathBase64)
    }
  }
}

// JSON has no bytes: a path that is not UTF-8 stands under another key, in base64 (RFC 4648 section 4).
extension KeyedEncodingContainer {
  fileprivate mutating func encode(_ path: RelativePath, as key: Key, orBase64 base64Key: Key) throws {
    if let text = path.text {
      try encode(text, forKey: key)
    } else {
      try encode(Data(path.bytes).base64EncodedString(), forKey: base64Key)
    }
  }
}

extension KeyedDecodingContainer {
  fileprivate func decodePath(_ key: Key, orBase64 base64Key: Key) throws -> RelativePath {
    if let text = try decodeIfPresent(String.self, forKey: key) {
      return RelativePath(text)
    }
    guard let bytes = Data(base64Encoded: try decode(String.self, forKey: base64Key)) else {
      throw DecodingError.dataCorruptedError(forKey: base64Key, in: self, debugDescription: "it is not base64")
    }
    return RelativePath(bytes: Array(bytes))
  }
}

extension SkippedPath {
  /// What a walk over a tree left out.
  init(_ entry: SkippedEntry) {
    self.init(path: entry.path, reason: entry.reason.rawValue)
  }
}
