import Glibc
import Logging
import Settings
import Signing
import SystemPackage
import Volume
import Worker

/// The file with the keys whose signatures a worker accepts: `--verify-key`.
struct VerifyKey {
  static let variable = "JOB_VERIFY_KEY"

  private let path: FilePath

  /// `nil` if no signatures are required.
  init?(_ options: WorkOptions, _ environment: Environment) throws {
    guard let path = options.verifyKey ?? environment[VerifyKey.variable] else { return nil }
    self.path = FilePath(path)
  }

  /// Makes `settings` accept only requests that one of the keys signed for one of `audience`; secrets among the keys
  /// are masked in the output of steps. Throws ``Misconfiguration`` if the file is no key, if other users may write to it,
  /// or if it is in a folder where jobs or other users could replace it.
  func apply(
    to settings: inout WorkerSettings, for audience: [String], apartFrom folders: [FilePath], _ logger: Logger
  ) throws {
    let place = absolute(path)
    if let folder = folders.first(where: { place.starts(with: $0) }) {
      throw Misconfiguration("the key \(path) is in \(folder), where jobs could replace it; move it elsewhere")
    }
    // Read it only after this check: then other users cannot replace it.
    try GuardedPath.check(path)
    let file = try KeyFile(path)
    let keys = try file.read { (bytes) throws(InvalidKey) in try KeySet(file: bytes) }
    for sentence in keys.leftAside { logger.warning("\(path): \(sentence)") }
    settings.ownSecrets += keys.secrets
    settings.reader = RequestReader(audience: audience) { try keys.verify(try CompactJWS($0)) }
  }
}

/// A file that holds keys and nothing else.
struct KeyFile {
  private let path: FilePath
  private let bytes: [UInt8]
  /// Whether all users may read it.
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
        throw Misconfiguration("the key \(path) is not a file of at most 1 MiB; give the path of a key file")
      }
      guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
        throw Misconfiguration("other users may write to the key \(path); run chmod go-w \(path)")
      }
      isReadableByAll = status.st_mode & S_IROTH != 0
      bytes = try DurableFile.contents(of: file, limit: 1 << 20)
    } catch let error as Errno {
      throw Misconfiguration("the key \(path) cannot be read: \(error)")
    }
  }

  /// Parses its content. Throws ``Misconfiguration`` if it is no key.
  func read<Key>(_ parse: ([UInt8]) throws(InvalidKey) -> Key) throws -> Key {
    do throws(InvalidKey) {
      return try parse(bytes)
    } catch {
      throw Misconfiguration("the key \(path) \(error)")
    }
  }
}

/// A path that only root and this process's user can replace, as sshd(8) (`StrictModes`) requires it for keys.
///
/// A user who may write to the file or to a folder of the path may put another file there. So each of them must belong
/// to root or to this user, and no other user may write to it. A folder with the sticky bit, such as /tmp or a Secret of
/// Kubernetes, may be writable for all: no other user can rename or remove an entry of root or of this user there
/// (unlink(2), `EPERM`). Links are followed, and their targets are checked in the same way.
struct GuardedPath {
  private let path: FilePath
  private var folder: FilePath = "/"
  private var isSticky = false
  private var ahead: [FilePath.Component]
  private var links = 0

  /// Throws ``Misconfiguration`` with the fault and its remedy.
  static func check(_ path: FilePath) throws {
    var way = GuardedPath(path)
    try way.enter("/")
    while !way.ahead.isEmpty { try way.step() }
  }

  private init(_ path: FilePath) {
    self.path = path
    ahead = Array((path.isAbsolute ? path : workingDirectory().pushing(path)).components)
  }

  private mutating func step() throws {
    let name = ahead.removeFirst()
    switch name.kind {
    case .currentDirectory: return
    case .parentDirectory:
      folder.removeLastComponent()
      return try enter(folder)
    case .regular: break
    }
    let place = folder.appending(name)
    let status = try look(at: place)
    guard status.st_mode & S_IFMT == S_IFLNK else { return try enter(place, status) }
    // A link cannot be changed, only replaced: it is as safe as its folder.
    if isSticky { try checkOwner(status, place) }
    links += 1
    guard links <= 40 else { throw unreadable(.tooManySymbolicLinkLevels) }
    let target = try target(of: place)
    ahead = target.components + ahead
    if target.isAbsolute { try enter("/") }
  }

  private mutating func enter(_ place: FilePath) throws {
    try enter(place, try look(at: place))
  }

  private mutating func enter(_ place: FilePath, _ status: stat) throws {
    try checkOwner(status, place)
    isSticky = status.st_mode & S_IFMT == S_IFDIR && status.st_mode & S_ISVTX != 0
    guard isSticky || status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
      throw Misconfiguration(
        "other users may write to \(place), and so replace the key \(path); run chmod go-w \(place)")
    }
    folder = place
  }

  private func checkOwner(_ status: stat, _ place: FilePath) throws {
    guard status.st_uid != 0, status.st_uid != geteuid() else { return }
    throw Misconfiguration(
      "\(place) belongs to user \(status.st_uid), who could replace the key \(path); give it to root or to this worker's user "
        + "(chown \(geteuid()) \(place)), or move the key to a folder where only they may write")
  }

  private func look(at place: FilePath) throws -> stat {
    var status = stat()
    guard place.withPlatformString({ lstat($0, &status) }) == 0 else { throw unreadable(Errno(rawValue: errno)) }
    return status
  }

  private func target(of link: FilePath) throws -> FilePath {
    var buffer = [CInterop.PlatformChar](repeating: 0, count: Int(PATH_MAX) + 1)
    guard link.withPlatformString({ readlink($0, &buffer, Int(PATH_MAX)) }) > 0 else {
      throw unreadable(Errno(rawValue: errno))
    }
    return buffer.withUnsafeBufferPointer { FilePath(platformString: $0.baseAddress!) }
  }

  private func unreadable(_ cause: Errno) -> Misconfiguration {
    Misconfiguration("the key \(path) cannot be read: \(cause)")
  }
}
