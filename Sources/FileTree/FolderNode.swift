import Glibc
import Synchronization

/// The open descriptors of a folder: one, or the same folder in two trees.
struct FolderDescriptors {
  var first: Int32
  var second: Int32

  func closeAll() {
    close(first)
    if second >= 0 { close(second) }
  }
}

/// A folder in a tree walk: open while its entries are read and until each of its subfolders has been opened from it.
///
/// A deep tree must not exhaust the limit of open files. So when `OpenFolders` reports too many, a folder that only
/// waits for subfolders is closed, and its subfolders reopen their path from the nearest open ancestor. They never use
/// `..`: a folder can be moved during the walk.
// Sendable: `state` is guarded by its mutex, the rest is immutable (`parent` until only `deinit` is left).
class FolderNode: @unchecked Sendable {
  private struct State {
    var descriptors: FolderDescriptors?
    /// Pieces of the listing that threads are working on.
    var readers = 1
    /// Subfolders that are currently being opened through the descriptors.
    var borrowers = 0
    /// Subfolders that still have to be opened.
    var pending = 0
    /// Whether to close it when the last borrower is done.
    var closing = false
  }

  private(set) var parent: FolderNode?
  /// The name in the parent, with its terminating NUL; empty for the root.
  let name: [CChar]
  /// The number of repeated listings during a removal.
  let listings = Atomic<Int>(0)
  /// Whether an entry in it cannot be removed, so that the folder cannot be removed either.
  private let kept = Atomic<Bool>(false)
  private let open: OpenFolders
  private let state: Mutex<State>

  init(parent: FolderNode?, name: [CChar], descriptors: FolderDescriptors, open: OpenFolders) {
    self.parent = parent
    self.name = name
    self.open = open
    open.count.add(1, ordering: .relaxed)
    state = Mutex(State(descriptors: descriptors))
  }

  // Release a chain of parents that only this node holds iteratively: recursion as deep as the tree could overflow the
  // stack.
  deinit {
    state.withLock { $0.descriptors }?.closeAll()
    var next = parent.take()
    while let node = next, isKnownUniquelyReferenced(&next) {
      next = node.parent.take()
    }
  }

  var path: RelativePath { path(of: nil) }

  /// The path of an entry in this folder, or of the folder itself.
  func path(of entry: FileName?) -> RelativePath {
    var names: [[UInt8]] = []
    if let entry { names.append(bytes(of: entry)) }
    var node = self
    while let parent = node.parent {
      names.append(node.name.dropLast().map { UInt8(bitPattern: $0) })
      node = parent
    }
    return RelativePath(bytes: Array(names.reversed().joined(separator: [0x2F])))
  }

  func path(of entry: [CChar]) -> RelativePath {
    entry.withUnsafeBufferPointer { path(of: $0.baseAddress!) }
  }

  var isKept: Bool { kept.load(ordering: .relaxed) }

  func keep() { kept.store(true, ordering: .relaxed) }

  /// Counts another piece of the listing that is handed to a thread.
  func addReader() { state.withLock { $0.readers += 1 } }

  func addSubfolder() { state.withLock { $0.pending += 1 } }

  /// The descriptors; call it only as a reader, since readers keep the folder open.
  var descriptors: FolderDescriptors { state.withLock { $0.descriptors! } }

  /// Ends a piece of the listing. Returns whether it was the last, and whether the folder is no longer needed.
  func readerEnded() -> (listed: Bool, complete: Bool) {
    let result = state.withLock { state in
      state.readers -= 1
      return (listed: state.readers == 0, complete: state.readers == 0 && state.pending == 0)
    }
    closeIfCrowded()
    return result
  }

  /// Records that a subfolder no longer needs this one. Returns whether the folder is no longer needed.
  func subfolderEnded() -> Bool {
    state.withLock { state in
      state.pending -= 1
      return state.readers == 0 && state.pending == 0
    }
  }

  /// Calls `body` with the folder's descriptors, or with reopened ones if they have been closed.
  func withDescriptors<Result>(
    _ body: (FolderDescriptors) throws(SystemCallError) -> Result
  ) throws(SystemCallError) -> Result {
    if let result = try whileOpen(body) { return result }
    let reopened = try reopen()
    defer { reopened.closeAll() }
    return try body(reopened)
  }

  /// Closes the folder when the last borrower returns the descriptors. The root stays open: `reopen` ends there.
  func closeForGood() {
    guard parent != nil else { return }
    close { $0.closing = true }
  }

  private func closeIfCrowded() {
    guard parent != nil, open.areTooMany else { return }
    close { if $0.readers == 0, $0.pending > 0 { $0.closing = true } }
  }

  private func close(_ change: (inout State) -> Void) {
    let descriptors = state.withLock { state -> FolderDescriptors? in
      change(&state)
      guard state.closing, state.borrowers == 0 else { return nil }
      defer { state.descriptors = nil }
      return state.descriptors
    }
    guard let descriptors else { return }
    descriptors.closeAll()
    open.count.subtract(1, ordering: .relaxed)
  }

  private func whileOpen<Result>(
    _ body: (FolderDescriptors) throws(SystemCallError) -> Result
  ) throws(SystemCallError) -> Result? {
    let borrowed = state.withLock { state -> FolderDescriptors? in
      guard !state.closing, let descriptors = state.descriptors else { return nil }
      state.borrowers += 1
      return descriptors
    }
    guard let borrowed else { return nil }
    defer {
      close { $0.borrowers -= 1 }
      closeIfCrowded()
    }
    return try body(borrowed)
  }

  private func reopen() throws(SystemCallError) -> FolderDescriptors {
    var way = [self]
    var next = parent
    while let ancestor = next {
      let result = try ancestor.whileOpen { (base) throws(SystemCallError) in
        try FolderNode.walk(way.reversed(), from: base)
      }
      if let result { return result }
      way.append(ancestor)
      next = ancestor.parent
    }
    throw SystemCallError(call: .openFolder, code: EBADF)
  }

  private static func walk(
    _ way: [FolderNode], from base: FolderDescriptors
  ) throws(SystemCallError) -> FolderDescriptors {
    var current = base
    for (depth, node) in way.enumerated() {
      let above = current
      defer { if depth > 0 { above.closeAll() } }
      current = try openPair(node.name, in: above)
    }
    return current
  }
}
/// The same name opened in both folders of a pair.
func openPair(_ name: FileName, in pair: FolderDescriptors) throws(SystemCallError) -> FolderDescriptors {
  let first = try openFolder(in: pair.first, name)
  guard pair.second >= 0 else { return FolderDescriptors(first: first, second: -1) }
  do throws(SystemCallError) {
    return FolderDescriptors(first: first, second: try openFolder(in: pair.second, name))
  } catch {
    close(first)
    throw error
  }
}

/// The number of folders that a walk holds open, and its limit.
final class OpenFolders: Sendable {
  let count = Atomic<Int>(0)
  private let most: Int

  /// A limit that leaves enough of the process's descriptors to its threads and other code, at two for each folder.
  static var most: Int {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return max(8, min(128, Int(clamping: limit.rlim_cur) / 8))
  }

  init(most: Int = OpenFolders.most) {
    self.most = most
  }

  var areTooMany: Bool { count.load(ordering: .relaxed) > most }
}
