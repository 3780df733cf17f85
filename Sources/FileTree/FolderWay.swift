import Glibc

/// The way from the root of a tree to one of its folders, and the open folder at its end.
///
/// Keeps the last folder open: files come in the order of their paths, so the next one is mostly in the same.
final class FolderWay {
  /// What to do where a folder is missing.
  enum Missing {
    case fail
    /// Makes it, and notes that.
    case make(NewFolders)
  }

  private let root: Int32
  private let missing: Missing
  private var current: (path: ArraySlice<UInt8>, descriptor: Int32)?

  init(root: Int32, missing: Missing = .fail) {
    self.root = root
    self.missing = missing
  }

  deinit {
    if let current { close(current.descriptor) }
  }

  /// The open folder at a path of `/`-joined names. Valid until the next call. The folders on the way that are made stand for
  /// those of a tree that have the same path but for its first `offset` bytes.
  func folder(_ path: ArraySlice<UInt8>, after offset: Int = 0) throws(CallFailure) -> Int32 {
    if path.isEmpty { return root }
    if let current, current.path == path { return current.descriptor }
    var descriptor = root
    for component in path.split(separator: 0x2F, omittingEmptySubsequences: false) {
      let above = descriptor
      defer { if above != root { close(above) } }
      descriptor = try next(component, in: above) { (folders, made) throws(CallFailure) in
        let place = path[..<component.endIndex]
        try folders.add(made, place, standingFor: place.count > offset ? place.dropFirst(offset) : nil)
      }
    }
    if let current { close(current.descriptor) }
    current = (path, descriptor)
    return descriptor
  }

  private func next(
    _ component: ArraySlice<UInt8>, in folder: Int32,
    note: (NewFolders, Int32) throws(CallFailure) -> Void
  ) throws(CallFailure) -> Int32 {
    let name = try fileName(component)
    do throws(CallFailure) {
      return try openFolder(in: folder, name)
    } catch {
      guard case .make(let folders) = missing else { throw error }
      // A mount where something is to be written is no part of a tree that can be passed over.
      if error.isMount { throw CallFailure(call: .makeFolder, code: error.code) }
      guard error.code == ENOENT else { throw error }
      do throws(CallFailure) {
        _ = try retrying(.makeFolder) { mkdirat(folder, name, 0o777) }
      } catch {
        // Another thread was faster.
        if error.code != EEXIST { throw error }
        return try openFolder(in: folder, name)
      }
      let made = try openFolder(in: folder, name)
      do throws(CallFailure) {
        try note(folders, made)
      } catch {
        close(made)
        throw error
      }
      return made
    }
  }
}

/// A component of a path as the kernel takes it. EINVAL for what is no name: empty, `.`, `..`, or with a NUL.
func fileName(_ component: ArraySlice<UInt8>) throws(CallFailure) -> [CChar] {
  let bytes = Array(component)
  if bytes.isEmpty || bytes == [0x2E] || bytes == [0x2E, 0x2E] || bytes.contains(0) {
    throw CallFailure(call: .open, code: EINVAL)
  }
  return bytes.map { CChar(bitPattern: $0) } + [0]
}

extension RelativePath {
  /// The path of the folder that it lies in; empty at the top.
  var folder: ArraySlice<UInt8> {
    bytes.lastIndex(of: 0x2F).map { bytes[..<$0] } ?? []
  }

  /// The last component.
  var name: ArraySlice<UInt8> {
    bytes.lastIndex(of: 0x2F).map { bytes[($0 + 1)...] } ?? bytes[...]
  }
}
