import Crypto
private import FoundationEssentials
import Glibc
public import SystemPackage

extension FileTree {
  /// The digest of the tree below `root`: Hash1 of Go's golang.org/x/mod/sumdb/dirhash, as `h1:<base64>`.
  ///
  /// It is the SHA-256 of one line for each file, `<hex SHA-256 of its content>  <path>` and a line feed, sorted by
  /// path in byte order. A symlink, which Hash1 cannot express, counts as a file whose content is the link's target and
  /// whose path ends with `/`, as no file's does. Modes, times and empty folders are not covered, nor are entries that
  /// are not copied: FIFOs, sockets, devices, mounts, the names in `excluding` at the top, and what is not selected.
  ///
  /// Blocks the calling thread, and starts further threads.
  ///
  /// - Parameter isCanceled: Called before each file and after each piece of one, from any of the threads.
  /// - Throws: `FileTreeError` with the first path that cannot be read, or whose name contains a line feed, which Hash1
  ///   refuses; ECANCELED when it was canceled.
  public static func digest(
    of root: FileDescriptor, excluding: Set<String> = [], selecting selection: Selection = .all,
    threads: Int = FileTree.mostThreads, isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(FileTreeError) -> String {
    let listing = TreeListing(root.rawValue, selection, ExcludedNames(excluding))
    return try TreeDigest(root.rawValue, threads: threads, isCanceled: isCanceled).run(listing)
  }
}

/// One digest of a tree in progress.
final class TreeDigest: Sendable {
  private struct Entry {
    let path: [UInt8]
    let kind: FileKind
  }

  private final class Lane {
    let content = Buffer.forContent()
    let opener: FolderOpener
    var lines: [(number: Int, line: [UInt8])] = []

    init(_ root: Int32) {
      opener = FolderOpener(root: root)
    }
  }

  private typealias Queue = WorkQueue<Range<Int>, Lane>

  private let root: Int32
  private let threads: Int
  private let isCanceled: @Sendable () -> Bool
  private let failure = FirstFailure()
  /// The number of files that a thread takes at once; neighbours mostly share a folder.
  private static let batch = 16

  init(_ root: Int32, threads: Int, isCanceled: @escaping @Sendable () -> Bool) {
    self.root = root
    self.threads = threads
    self.isCanceled = isCanceled
  }

  func run(_ listing: TreeListing) throws(FileTreeError) -> String {
    let entries = try list(listing)
    let queue = Queue(
      threads: threads, makeLane: { Lane(self.root) },
      perform: { range, lane, queue in
        for number in range where !queue.isStopped {
          do throws(SystemCallError) {
            lane.lines.append((number, try self.line(of: entries[number], lane)))
          } catch {
            // The file is a mount point.
            if error.isMount { continue }
            self.failure.set(FileTreeError("digest", error, at: RelativePath(bytes: entries[number].path)))
            queue.stop()
          }
          queue.grow()
        }
      })
    let starts = stride(from: 0, to: entries.count, by: Self.batch)
    let lanes = queue.run(starts.reversed().map { $0..<min($0 + Self.batch, entries.count) })
    if let failure = failure.value { throw failure }
    var hasher = SHA256()
    for (_, line) in lanes.flatMap(\.lines).sorted(by: { $0.number < $1.number }) { hasher.update(data: line) }
    return "h1:" + Data(hasher.finalize()).base64EncodedString()
  }

  /// All files and symlinks, in the order of their lines.
  private func list(_ listing: TreeListing) throws(FileTreeError) -> [Entry] {
    var entries: [Entry] = []
    try listing.run("digest", isCanceled: isCanceled) { (path, kind, _, _) throws(SystemCallError) in
      switch kind {
      case .file: entries.append(Entry(path: path.bytes, kind: kind))
      case .symlink: entries.append(Entry(path: path.bytes + [0x2F], kind: kind))
      default: break
      }
    }
    if let entry = entries.first(where: { $0.path.contains(0x0A) }) {
      throw FileTreeError(operation: "digest", path: RelativePath(bytes: entry.path), reason: .lineFeedInName)
    }
    return entries.sorted { $0.path.lexicographicallyPrecedes($1.path) }
  }

  private func line(of entry: Entry, _ lane: Lane) throws(SystemCallError) -> [UInt8] {
    let path = RelativePath(bytes: entry.kind == .symlink ? entry.path.dropLast() : entry.path)
    let folder = try lane.opener.folder(path.folder)
    let name = try fileName(path.name)
    let digest: SHA256Digest
    if entry.kind == .symlink {
      digest = SHA256.hash(data: try symlinkTarget(name, in: folder).dropLast().map { UInt8(bitPattern: $0) })
    } else {
      digest = try contentDigest(of: name, in: folder, lane.content.bytes)
    }
    return hexadecimal(digest) + [0x20, 0x20] + entry.path + [0x0A]
  }

  private func contentDigest(
    of name: [CChar], in folder: Int32, _ buffer: UnsafeMutableRawBufferPointer
  ) throws(SystemCallError) -> SHA256Digest {
    let file = try openFile(in: folder, name)
    defer { close(file) }
    var hasher = SHA256()
    var offset: Int64 = 0
    while true {
      try checkIsWanted()
      let count = try readFull(file, into: buffer, at: offset)
      hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      if count < buffer.count { return hasher.finalize() }
      offset &+= Int64(count)
    }
  }

  private func checkIsWanted() throws(SystemCallError) {
    if isCanceled() { throw SystemCallError(call: .read, code: ECANCELED) }
  }
}

/// Bytes as lower-case hexadecimal digits, two for each.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> [UInt8] {
  let digits: [UInt8] = Array("0123456789abcdef".utf8)
  return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
}
