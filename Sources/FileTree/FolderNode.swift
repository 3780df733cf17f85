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

/// A folder that a tree walk is in: open while its entries are read, and until each of its subfolders has been opened from it.
///
/// A tree deeper than the limit of open files must not run into it. So when `OpenFolders` says that too many are open, a folder that only
/// waits for subfolders is closed, and those open their way from the nearest open ancestor again. Never by `..`: a
/// folder can be moved while the walk is in it.
// Sendable: `state` is under its mutex, the rest is immutable (`parent` until nobody but `deinit` is left).
class FolderNode: @unchecked Sendable {
  private struct State {
    var descriptors: FolderDescriptors?
    /// Pieces of the listing that are being worked on.
    var readers = 1
    /// Subfolders that are being opened through the descriptors right now.
    var borrowers = 0
    /// Subfolders that still have to be opened.
    var pending = 0
    /// It is to be closed when the last borrower is done.
    var closing = false
  }

  private(set) var parent: FolderNode?
  /// The name in the parent, with its terminating NUL; empty for the root.
  let name: [CChar]
  /// How often it has been listed, for a removal.
  let listings = Atomic<Int>(0)
  /// Something in it cannot be removed, so that it cannot be either.
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

  // A chain of parents that only this one holds is let go one by one: a recursion as deep as the tree could end the stack.
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

  /// Another piece of the listing is handed to a thread.
  func addReader() { state.withLock { $0.readers += 1 } }

  func addSubfolder() { state.withLock { $0.pending += 1 } }

  /// The descriptors; only for a reader, who keeps them open.
  var descriptors: FolderDescriptors { state.withLock { $0.descriptors! } }

  /// Ends a piece of the listing. Says whether it was the last, and whether nothing will need the folder again.
  func readerEnded() -> (listed: Bool, complete: Bool) {
    let result = state.withLock { state in
      state.readers -= 1
      return (listed: state.readers == 0, complete: state.readers == 0 && state.pending == 0)
    }
    closeIfCrowded()
    return result
  }

  /// A subfolder needs this one no more. Returns whether nothing will need it again.
  func subfolderEnded() -> Bool {
    state.withLock { state in
      state.pending -= 1
      return state.readers == 0 && state.pending == 0
    }
  }

  /// Calls with the folder's descriptors, or with new ones if they have been closed.
  func withDescriptors<Result>(
    _ body: (FolderDescriptors) throws(SystemCallError) -> Result
  ) throws(SystemCallError) -> Result {
    if let result = try whileOpen(body) { return result }
    let reopened = try reopen()
    defer { reopened.closeAll() }
    return try body(reopened)
  }

  /// Closes it, once nobody borrows the descriptors any more. The root stays open: it is where `reopen` ends.
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

/// How many folders a walk holds open, and how many it may.
final class OpenFolders: Sendable {
  let count = Atomic<Int>(0)
  private let most: Int

  /// So many that two descriptors each leave enough of the process's limit to the threads and to everybody else.
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
