import Glibc

/// What one thread of an export has for its own.
final class ExportLane {
  let content = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 4096)
  let source: FolderWay
  let destination: FolderWay

  private(set) var files: [ExportedFile] = []
  var skipped: [SkippedEntry] = []
  var unfinished: [RelativePath] = []
  var failures: [FileTreeError] = []

  init(tree: Int32, results: Int32, _ folders: NewFolders) {
    source = FolderWay(root: tree)
    destination = FolderWay(root: results, missing: .make(folders))
  }

  deinit {
    content.deallocate()
  }

  func add(_ written: FileExport.Written, _ entry: ChangedEntry, _ storedAs: RelativePath?) {
    files.append(
      ExportedFile(
        path: entry.path, size: written.size, mode: written.mode,
        sha256: written.digest.map { String(decoding: hexadecimal($0), as: UTF8.self) },
        change: entry.change, storedAs: storedAs))
  }
}
