import Glibc
public import SystemPackage

/// What a tree of files holds.
public struct TreeSize: Hashable, Sendable {
  /// The number of entries that are no folders.
  public var files: Int
  /// The sum of their sizes; a file with several links counts once for each.
  public var bytes: Int64
  /// The number of folders on which something is mounted. What lies there counts nothing.
  public var mounts = 0

  /// A size of so many files and bytes.
  public init(files: Int = 0, bytes: Int64 = 0) {
    self.files = files
    self.bytes = bytes
  }

  /// Adds the other's files, bytes and mounts.
  public static func += (size: inout TreeSize, other: TreeSize) {
    size.files += other.files
    size.mounts += other.mounts
    // Anybody may make a sparse file of any size.
    size.bytes = size.bytes.addingReportingOverflow(other.bytes).overflow ? .max : size.bytes + other.bytes
  }
}

extension FileTree {
  /// The size of everything below `tree`. Folders that cannot be read, and mounts, count as empty.
  ///
  /// Blocks the calling thread. Follows no symlink, and holds only one folder open at a time, so any depth works.
  public static func size(of tree: FileDescriptor) -> TreeSize {
    var size = TreeSize()
    guard var folder = try? openFolder(in: tree.rawValue, ".") else { return size }
    defer { close(folder) }
    // The subfolders still to visit, for each folder on the path down.
    var pending = [entries(of: folder, into: &size)]
    while var names = pending.popLast() {
      if let name = names.popLast() {
        pending.append(names)
        let next: Int32
        do throws(SystemCallError) {
          next = try openFolder(in: folder, name)
        } catch {
          if error.isMount { size.mounts += 1 }
          continue
        }
        close(folder)
        folder = next
        pending.append(entries(of: folder, into: &size))
      } else if !pending.isEmpty {
        guard let next = try? openFolder(in: folder, "..") else { return size }
        close(folder)
        folder = next
      }
    }
    return size
  }

  /// Adds the entries of an open folder to `size`; returns the names of its subfolders.
  private static func entries(of folder: Int32, into size: inout TreeSize) -> [[CChar]] {
    var folders: [[CChar]] = []
    _ = try? DirectoryEntries.pieces(of: folder, into: .forListing()) { (entries) throws(SystemCallError) in
      while let (name, _) = entries.next() {
        // An entry that has just been removed counts nothing.
        guard let status = try? status(of: name, in: folder) else { continue }
        if status.kind == .folder {
          folders.append(terminated(name))
        } else {
          size += TreeSize(files: 1, bytes: status.kind == .file ? Int64(status.st_size) : 0)
        }
      }
    }
    return folders
  }
}
