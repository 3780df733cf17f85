import FileTree
import Foundation

/// A tree on disk, read by plain readdir and lstat, to compare with the code under test.
struct TestTree {
  enum Node: Equatable {
    case file(content: Data, mode: mode_t, modified: Int)
    case symlink(target: String)
    case folder(mode: mode_t, modified: Int)
    case special
  }

  private(set) var nodes: [RelativePath: Node] = [:]

  init(_ root: String) throws {
    try read(Array(root.utf8), below: [])
  }

  private mutating func read(_ folder: [UInt8], below path: [UInt8]) throws {
    guard let listing = opendir(folder.map { CChar(bitPattern: $0) } + [0]) else { throw POSIXError(.ENOENT) }
    defer { closedir(listing) }
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: UInt8.self, capacity: 256) {
          Array(UnsafeBufferPointer(start: $0, count: strlen(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))))
        }
      }
      if name == [0x2E] || name == [0x2E, 0x2E] { continue }
      let full = folder + [0x2F] + name
      let relative = path.isEmpty ? name : path + [0x2F] + name
      try add(full, RelativePath(bytes: relative))
    }
  }

  private mutating func add(_ full: [UInt8], _ path: RelativePath) throws {
    let name = full.map { CChar(bitPattern: $0) } + [0]
    var status = stat()
    guard lstat(name, &status) == 0 else { throw POSIXError(.ENOENT) }
    let modified = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      nodes[path] = .file(content: try content(name), mode: status.st_mode & 0o7777, modified: modified)
    case S_IFLNK:
      var target = [CChar](repeating: 0, count: 4097)
      readlink(name, &target, 4096)
      nodes[path] = .symlink(
        target: String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    case S_IFDIR:
      nodes[path] = .folder(mode: status.st_mode & 0o7777, modified: modified)
      try read(full, below: path.bytes)
    default:
      nodes[path] = .special
    }
  }

  private func content(_ name: [CChar]) throws -> Data {
    guard let file = fopen(name, "r") else { throw POSIXError(.EACCES) }
    defer { fclose(file) }
    var data = Data()
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      data.append(contentsOf: buffer[..<count])
    }
    return data
  }

  /// The content of possible artifacts.
  var contents: [RelativePath: Content] {
    nodes.compactMapValues {
      switch $0 {
      case .file(let content, _, _): .file(content)
      case .symlink(let target): .symlink(target)
      case .folder, .special: nil
      }
    }
  }

  enum Content: Equatable {
    case file(Data)
    case symlink(String)
  }
}
