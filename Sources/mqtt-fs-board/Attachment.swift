import Client
import FlyingFox
import FlyingSocks
import Glibc
import Jobs
import SystemPackage
import Volume

/// A file in a job's results/, to be saved and never shown: a browser must not take it for a page of this site.
struct Attachment {
  private let file: OpenFile
  private let name: String

  /// Opens the regular file at `path` in the results/ of `id`. Follows no link; `nil` if there is none.
  init?(_ path: String, of id: JobID, in directory: JobsDirectory) {
    // A path ends at a NUL.
    guard !path.isEmpty, !path.utf8.contains(0), let results = JobRecords(directory).openResults(of: id) else {
      return nil
    }
    defer { try? results.close() }
    guard let descriptor = try? openBeneath(results, path, O_RDONLY) else { return nil }
    guard let status = try? status(of: descriptor), status.st_mode & S_IFMT == S_IFREG else {
      try? descriptor.close()
      return nil
    }
    file = OpenFile(descriptor: descriptor, size: Int(status.st_size))
    name = path.split(separator: "/").last.map(String.init) ?? "file"
  }

  /// The answer with the file.
  func answer(seat: StreamSeat) -> HTTPResponse {
    var answer = HTTPResponse(
      statusCode: .ok, body: HTTPBodySequence(from: FileContent(file: file, seat: seat), count: file.size))
    answer.headers[.contentType] = "application/octet-stream"
    answer.headers[.cacheControl] = "no-store"
    answer.headers[.contentDisposition] = Attachment.disposition(name)
    return answer
  }

  /// The header with a file's name (RFC 6266, RFC 8187): in ASCII for all, and percent-encoded in UTF-8.
  static func disposition(_ name: String) -> String {
    // Direction overrides would hide the real extension.
    let shown = String(String.UnicodeScalarView(name.unicodeScalars.filter(\.prints)))
    let plain = String(
      String.UnicodeScalarView(
        shown.unicodeScalars.map { $0.isASCII && !"\"\\%;/".unicodeScalars.contains($0) ? $0 : "_" }))
    let encoded = shown.utf8.map { byte in
      let isPlain = byte < 0x80 && (Unicode.Scalar(byte).properties.isAlphabetic || (0x30...0x39).contains(byte))
      return isPlain || byte == 0x2E || byte == 0x2D || byte == 0x5F
        ? String(Unicode.Scalar(byte)) : "%" + String(hexadecimal: [byte]).uppercased()
    }.joined()
    return "attachment; filename=\"\(plain.isEmpty ? "file" : plain)\"; filename*=UTF-8''\(encoded)"
  }
}

/// An open file with the size that it had.
final class OpenFile: Sendable {
  let descriptor: FileDescriptor
  let size: Int

  init(descriptor: FileDescriptor, size: Int) {
    self.descriptor = descriptor
    self.size = size
  }

  deinit {
    try? descriptor.close()
  }
}

/// The bytes of a file in pieces. Throws if it has become shorter: the client then sees that the file is not complete.
struct FileContent: AsyncBufferedSequence {
  typealias Element = UInt8
  let file: OpenFile
  let seat: StreamSeat

  func makeAsyncIterator() -> Iterator { Iterator(content: self) }

  struct Iterator: AsyncBufferedIteratorProtocol {
    private static let largestPiece = 256 << 10
    private let content: FileContent
    private var position = 0

    init(content: FileContent) {
      self.content = content
    }

    mutating func next() async throws -> UInt8? {
      // FlyingFox reads whole buffers only.
      throw SocketError.disconnected
    }

    mutating func nextBuffer(suggested count: Int) async throws -> [UInt8]? {
      let rest = content.file.size - position
      guard rest > 0 else { return nil }
      let bytes = try await onThread { [file = content.file, position] in
        let size = Swift.min(rest, Iterator.largestPiece)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
          filled = Swift.max(0, pread(file.descriptor.rawValue, buffer.baseAddress, size, off_t(position)))
        }
      }
      guard !bytes.isEmpty else { throw SocketError.disconnected }
      position += bytes.count
      return bytes
    }
  }
}
