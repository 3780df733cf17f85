internal import FoundationEssentials

/// A path below a job's workspace, as the bytes that the file system holds: it need not be text (path_resolution(7)).
package struct WorkspacePath: Hashable, Sendable, CustomStringConvertible {
  /// The path without a terminating NUL, and without `/` before or behind it.
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

  /// The path for a person to read: bytes that are not UTF-8 are shown as U+FFFD.
  package var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// A path as result.json's `deleted` has it: a string, or `{"pathBase64": …}`.
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

// JSON has no bytes: a path that is not UTF-8 stands under another key, in base64 (RFC 4648 section 4).
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
