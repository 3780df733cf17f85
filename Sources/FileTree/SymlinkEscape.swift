import Glibc

/// Decides whether a symlink leads out of its tree.
///
/// The decision uses the text of the target, since the tree will be read elsewhere. A target leads out if it is
/// absolute, or has more `..` than there are folders above the link. A `..` after a name is harmless only if the name
/// is not itself a symlink: `link/..` is the parent of the link's target.
struct SymlinkEscape {
  let tree: Int32
  let path: RelativePath

  func leadsOut(_ target: [UInt8]) -> Bool {
    if target.first == 0x2F { return true }
    var way: [ArraySlice<UInt8>] = path.folder.isEmpty ? [] : path.folder.split(separator: 0x2F)
    // The folder of the link was opened without following a symlink.
    var trusted = way.count
    for component in target.split(separator: 0x2F) {
      switch Array(component) {
      case [0x2E]: continue
      case [0x2E, 0x2E]:
        if way.isEmpty { return true }
        if way.count > trusted, mayBeSymlink(way) { return true }
        way.removeLast()
        trusted = min(trusted, way.count)
      default: way.append(component)
      }
    }
    return false
  }

  private func mayBeSymlink(_ way: [ArraySlice<UInt8>]) -> Bool {
    do throws(SystemCallError) {
      let folder = try FolderOpener(root: tree).folder(way.joined(separator: [0x2F])[...])
      return folder < 0
    } catch {
      // A name that does not exist leads nowhere.
      return error.code != ENOENT
    }
  }
}

extension Array where Element == ArraySlice<UInt8> {
  fileprivate func joined(separator: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for (index, element) in enumerated() {
      if index > 0 { result += separator }
      result += element
    }
    return result
  }
}
