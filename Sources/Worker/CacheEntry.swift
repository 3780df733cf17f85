import FileTree
import FoundationEssentials
import Glibc
import Jobs
import SystemPackage
import Volume

/// The facts about an entry of a cache: its entry.json.
package struct CacheRecord: Codable, Sendable {
  /// The cache's key.
  package let key: String
  /// The topic filter of the workers that use it; none in a dry run.
  package let filter: String?
  /// The id of the key that signed the requests that use it; none for unsigned requests.
  package let signedBy: String?
  /// The paths, relative to a workspace.
  package let paths: [String]
  /// Bytes of content.
  package let bytes: Int64
  /// The number of files and links.
  package let files: Int
  /// When it was saved, as ``Timestamp`` writes it.
  package let saved: String

  /// What it takes of the limit.
  var cost: Int64 { CacheRecord.cost(of: TreeSize(files: files, bytes: bytes)) }

  /// What a tree takes of the limit: its content, and 4 KiB for each file, which is about what its inode and the end of its
  /// last block take.
  static func cost(of tree: TreeSize) -> Int64 {
    let (inodes, overflow) = Int64(tree.files).multipliedReportingOverflow(by: 4096)
    var cost = TreeSize(bytes: overflow ? .max : inodes)
    cost += TreeSize(bytes: tree.bytes)
    return cost.bytes
  }
}

/// The open folder of a cache's entry, locked as long as it lives (flock(2)): shared by those that read it, exclusive for
/// whoever fills or removes it. The kernel releases the lock of a process that dies.
final class CacheEntry {
  enum Lock {
    case shared, exclusive

    var operation: Int32 { self == .shared ? LOCK_SH : LOCK_EX }
  }

  static let recordName = "entry.json"
  static let treeName = "tree"

  let name: String
  let folder: FileDescriptor

  private init(_ name: String, _ folder: FileDescriptor) {
    self.name = name
    self.folder = folder
  }

  deinit { try? folder.close() }

  /// Opens and locks the entry `name`; `nil` if it is gone, is no folder that this process may read, or another process
  /// holds a lock that excludes this one. Throws what flock(2) says on a file system without locks.
  static func open(_ name: String, in scope: FileDescriptor, _ lock: Lock) throws(Errno) -> CacheEntry? {
    let folder: FileDescriptor
    do throws(Errno) {
      folder = try openFile(name, .directory, in: scope)
    } catch {
      let meansNone: Set<Errno> = [
        .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .permissionDenied,
      ]
      guard meansNone.contains(error) else { throw error }
      return nil
    }
    let entry = CacheEntry(name, folder)
    guard try folder.lock(lock.operation) else { return nil }
    // Whoever held the lock may have removed or renamed the folder.
    return DurableFile.isNamed(folder, name, in: scope) ? entry : nil
  }

  /// The record; `nil` if there is none that can be read.
  var record: CacheRecord? {
    guard let file = try? openFile(CacheEntry.recordName, in: folder) else { return nil }
    defer { try? file.close() }
    guard let bytes = try? DurableFile.contents(of: file, limit: 1 << 20) else { return nil }
    // Steps run as the worker's user, and may have written anything here.
    guard let record = try? JSONDecoder().decode(CacheRecord.self, from: Data(bytes)) else { return nil }
    return record.bytes >= 0 && record.files >= 0 ? record : nil
  }

  /// When a job last used it, in nanoseconds since 1970.
  var lastUse: Int64 {
    var status = stat()
    guard fstatat(folder.rawValue, CacheEntry.recordName, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return 0 }
    return status.modified
  }

  func noteUse() {
    utimensat(folder.rawValue, CacheEntry.recordName, nil, AT_SYMLINK_NOFOLLOW)
  }

  /// Lets others read the entry. The change of the lock is not atomic (flock(2)), so the entry must have its name.
  func share() {
    flock(folder.rawValue, LOCK_SH)
  }

  /// Makes the lock exclusive; `false` if another process has one, or has removed the entry meanwhile.
  func lockAlone(in scope: FileDescriptor) -> Bool {
    (try? folder.lock(LOCK_EX)) == true && DurableFile.isNamed(folder, name, in: scope)
  }

  /// Opens the tree of the cached paths.
  func tree() throws(Errno) -> FileDescriptor {
    try openFile(CacheEntry.treeName, .directory, in: folder)
  }

  func write(_ record: CacheRecord) throws {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = openat(folder.rawValue, CacheEntry.recordName, flags, 0o600)
    guard file >= 0 else { throw Errno(rawValue: errno) }
    try FileDescriptor(rawValue: file).closeAfter {
      _ = try FileDescriptor(rawValue: file).writeAll(JSONEncoder().encode(record))
    }
  }
}
