import Foundation
import SystemPackage
import Testing

@testable import FileTree

@Suite struct FileCopyTests {
  /// Copies `source/file`, and calls `whileCopying` after each piece of its content.
  private func copy(
    _ scratch: Scratch, methods: CopyMethods = CopyMethods(clones: false), whileCopying: @escaping () -> Void = {}
  ) throws -> FileCopy.Outcome {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
    defer { buffer.deallocate() }
    return try scratch.open("source") { source in
      try scratch.open("stage") { stage in
        let copy = FileCopy(
          folders: FolderDescriptors(first: source.rawValue, second: stage.rawValue), methods: methods,
          attributes: Attributes(),
          buffer: buffer, moved: { _ in whileCopying() })
        return try copy.run("file", .file)
      }
    }
  }

  private func scratch() throws -> Scratch {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && head -c 500000 /dev/urandom > source/file")
    return scratch
  }

  @Test func aFileThatChangesOnceIsCopiedOnceMore() throws {
    let scratch = try scratch()
    var times = 0
    let outcome = try copy(scratch) {
      times += 1
      if times == 1 { _ = try? scratch.shell("echo new > source/file") }
    }
    guard case .copied = outcome else {
      Issue.record("the second copy did not count")
      return
    }
    #expect(try scratch.shell("cat stage/file") == "new\n")
  }

  @Test func aFileThatChangesTwiceIsAnError() throws {
    let scratch = try scratch()
    guard case .sourceChanged = try copy(scratch, whileCopying: { _ = try? scratch.shell("echo x >> source/file") })
    else {
      Issue.record("the change was not seen")
      return
    }
  }

  @Test(arguments: [(true, true), (false, true), (false, false)])
  func allWaysToCopyGiveTheSame(clones: Bool, copiesRanges: Bool) throws {
    let scratch = try scratch()
    _ = try copy(scratch, methods: CopyMethods(clones: clones, copiesRanges: copiesRanges))
    try scratch.shell("cmp source/file stage/file")
  }

  @Test func aSparseFileIsCopiedByReadingToo() throws {
    let scratch = try scratch()
    try scratch.shell("truncate -s 30M source/file && printf end >> source/file && touch -d 2001-01-01 source/file")
    _ = try copy(scratch, methods: CopyMethods(clones: false, copiesRanges: false))
    try scratch.shell("cmp source/file stage/file && test $(du -k stage/file | cut -f1) -lt 1024")
  }

  @Test func aFolderInThePlaceOfAFileIsAChange() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/file stage")
    guard case .sourceChanged = try copy(scratch) else {
      Issue.record("a folder was copied as a file")
      return
    }
  }

  @Test func aSymlinkOrFIFOInThePlaceOfAFileIsNotOpened() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && ln -s /etc/hosts source/file")
    guard case .sourceChanged = try copy(scratch) else {
      Issue.record("a symlink was followed")
      return
    }
    try scratch.shell("rm source/file && mkfifo source/file")
    guard case .sourceChanged = try copy(scratch) else {
      Issue.record("a FIFO was copied")
      return
    }
  }
}
