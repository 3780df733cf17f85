private import Glibc
import Jobs
package import SystemPackage

/// Folders on the volume.
extension DurableFile {
  /// The visible names in a folder; none if there is no folder.
  package static func names(in folder: VolumePath) throws(VolumeError) -> [String] {
    try allNames(in: folder).filter { !$0.hasPrefix(".") }
  }

  /// The hidden names in a folder.
  static func hiddenNames(in folder: VolumePath) throws(VolumeError) -> [String] {
    try allNames(in: folder).filter { $0.hasPrefix(".") && $0 != "." && $0 != ".." }
  }

  private static func allNames(in folder: VolumePath) throws(VolumeError) -> [String] {
    do throws(VolumeError) {
      return try listing(of: folder)
    } catch {
      guard error.cause == .permissionDenied, !folder.isRoot else { throw error }
      try giveRights(onTheWayTo: folder)
      return try listing(of: folder)
    }
  }

  /// Makes all parents folders, and restores this process's rights to its own.
  private static func giveRights(onTheWayTo folder: VolumePath) throws(VolumeError) {
    if !folder.folder.isRoot { try giveRights(onTheWayTo: folder.folder) }
    try ensureFolder(folder)
  }

  private static func listing(of folder: VolumePath) throws(VolumeError) -> [String] {
    do throws(Errno) {
      let file = try folder.open(O_RDONLY | O_DIRECTORY)
      guard let stream = fdopendir(file.rawValue) else {
        let cause = Errno(rawValue: Glibc.errno)
        try? file.close()
        throw cause
      }
      defer { closedir(stream) }
      var names: [String] = []
      while true {
        // readdir(3) sets errno only on an error, not at the end.
        Glibc.errno = 0
        guard let entry = readdir(stream) else {
          guard Glibc.errno == 0 else { throw Errno(rawValue: Glibc.errno) }
          return names
        }
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
          String(validating: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
        if let name { names.append(name) }
      }
    } catch {
      // An entry that is no folder has no names; a worker that creates a file there moves it away first.
      let isNone = error.saysGone || [.notDirectory, .tooManySymbolicLinkLevels].contains(error)
      guard isNone, !folder.isRoot else { throw VolumeError("listing", folder, error) }
      return []
    }
  }

  /// Creates a folder at any path, with missing parents.
  package static func makeFolder(_ path: FilePath, mode: UInt32 = 0o777) throws(VolumeError) {
    if mkdir(path.string, mode) == 0 { return }
    let cause = Errno(rawValue: Glibc.errno)
    if cause == .fileExists { return }
    let parent = path.removingLastComponent()
    guard cause == .noSuchFileOrDirectory, !parent.isEmpty, parent != path else {
      throw VolumeError("creating", path, cause)
    }
    try makeFolder(parent, mode: mode)
    guard mkdir(path.string, mode) == 0 || Glibc.errno == EEXIST else {
      throw VolumeError("creating", path, Errno(rawValue: Glibc.errno))
    }
  }

  /// Creates `path` with missing parents, but never the root. Below the first level, where only workers create entries,
  /// ``ensureFolder(_:)`` turns any other entry into a folder.
  package static func makeFolder(_ path: VolumePath, mode: UInt32 = 0o777) throws(VolumeError) {
    let make = { () throws(Errno) in
      try path.inFolder { (folder, name) throws(Errno) in
        guard mkdirat(folder.rawValue, name, mode) != 0 else { return true }
        guard Glibc.errno == EEXIST else { throw Errno(rawValue: Glibc.errno) }
        return false
      }
    }
    var isNew: Bool
    do throws(Errno) {
      isNew = try make()
    } catch {
      let isMended: Set<Errno> = [
        .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .permissionDenied,
      ]
      guard isMended.contains(error), !path.folder.isRoot else { throw VolumeError("creating", path, error) }
      try makeFolder(path.folder, mode: mode)
      isNew = try onVolume("creating", path, make)
    }
    if !isNew, !path.folder.isRoot { try ensureFolder(path) }
  }
}
