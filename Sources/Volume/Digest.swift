private import Crypto
private import FileTree
package import Jobs

extension Envelope {
  /// The digest of the payload: `sha256:<hex>`.
  package var digest: String { digestText(of: Array(payload.utf8)) }
}

/// The digest of `bytes`: `sha256:<hex>`, with the digits of sha256sum(1).
package func digestText(of bytes: [UInt8]) -> String {
  "sha256:\(String(hexadecimal: SHA256.hash(data: bytes)))"
}

extension String {
  /// Bytes as lower-case hexadecimal digits, two for each.
  package init(hexadecimal bytes: some Sequence<UInt8>) {
    self.init(decoding: hexadecimal(bytes), as: UTF8.self)
  }
}
