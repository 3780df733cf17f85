import Glibc
import Logging
import Signing
import SystemPackage
import Worker

/// The file with the keys whose signatures a worker believes: `--verify-key`.
struct VerifyKey {
  static let variable = "JOB_VERIFY_KEY"

  private let path: FilePath

  /// `nil` when no signatures are asked for.
  init?(_ options: WorkOptions, _ environment: Environment) throws {
    guard let path = options.verifyKey ?? environment[VerifyKey.variable] else { return nil }
    self.path = FilePath(path)
  }

  /// Has `settings` take what one of the keys signed for one of `audience`, and nothing else; a secret among the keys is masked
  /// where steps show it. Throws ``Misconfiguration`` when the file is no key, when others than its owner may write to it, or
  /// when it lies where jobs come from or others could exchange it.
  func apply(
    to settings: inout WorkerSettings, for audience: [String], apartFrom folders: [FilePath], _ logger: Logger
  ) throws {
    let place = absolute(path)
    if let folder = folders.first(where: { place.starts(with: $0) }) {
      throw Misconfiguration("the key \(path) lies in \(folder), where jobs could replace it; keep it elsewhere")
    }
    // From now on it is the file that its owner put there.
    try GuardedPath.check(path)
    let file = try KeyFile(path)
    let keys = try file.read { (bytes) throws(InvalidKey) in try KeySet(file: bytes) }
    for sentence in keys.leftAside { logger.warning("\(path): \(sentence)") }
    settings.ownSecrets += keys.secrets
    settings.reader = RequestReader(audience: audience) { payload in
      let verified = try keys.verify(try CompactJWS(payload))
      return RequestReader.Verified(payload: verified.payload, keyID: verified.keyID)
    }
  }
}

/// A file that holds keys and nothing else.
struct KeyFile {
  private let path: FilePath
  private let bytes: [UInt8]
  /// Whether others than the owner and its group may read it.
  let isReadableByAll: Bool

  /// Reads a regular file of at most 1 MiB that only its owner can write to.
  init(_ path: FilePath) throws {
    self.path = path
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
      defer { try? file.close() }
      var status = stat()
      guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
      guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= 1 << 20 else {
        throw Misconfiguration("the key \(path) is not a file of at most 1 MiB")
      }
      guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
        throw Misconfiguration("others may write to the key \(path); take that right away: chmod go-w")
      }
      isReadableByAll = status.st_mode & S_IROTH != 0
      bytes = try [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
    } catch let error as Errno {
      throw Misconfiguration("the key \(path) cannot be read: \(error)")
    }
  }

  /// What `parse` makes of its content. Throws ``Misconfiguration`` when it is no key.
  func read<Key>(_ parse: ([UInt8]) throws(InvalidKey) -> Key) throws -> Key {
    do throws(InvalidKey) {
      return try parse(bytes)
    } catch {
      throw Misconfiguration("the key \(path) \(error)")
    }
  }
}
