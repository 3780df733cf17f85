import FileTree
import Foundation
import Testing

@Suite struct TreeScanTests {
  private func scratch() throws -> (Scratch, Snapshot) {
    let scratch = try Scratch()
    try scratch.shell(
      """
      mkdir -p source/src/deep source/doc && cd source
      echo one > src/one; echo two > src/two; echo three > src/deep/three; ln -s one src/link; echo doc > doc/doc
      touch -d 2005-05-05 src/one src/two
      """)
    return (scratch, try scratch.stage())
  }

  @Test func anUntouchedTreeHasNoChanges() throws {
    let (scratch, snapshot) = try scratch()
    #expect(try scratch.changes(since: snapshot).isEmpty)
  }

  @Test func newModifiedAndDeletedFilesAreFound() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage && echo more >> src/one && mkdir -p n/m && echo new > n/m/new && rm src/deep/three")
    #expect(try scratch.changes(since: snapshot).lines == ["+n/m/new", "~src/one", "-src/deep/three"])
  }

  @Test func touchAndAnEqualCopyAreNoChange() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage && touch src/one && cp -p src/two t && mv t src/two")
    #expect(try scratch.changes(since: snapshot).isEmpty)
  }

  @Test func permissionBitsAreAChangeOfTheirOwn() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage && chmod 700 src/two && chmod 711 src/deep && chmod u+s src/one")
    let changes = try scratch.changes(since: snapshot)
    #expect(changes.changed.map(\.path.description) == ["src/two"])
    #expect(changes.changed.map(\.change) == [.mode])
    #expect(changes.changed.map(\.mode) == [0o700])
    #expect(changes.folders.map(\.description) == ["src/deep"])
  }

  @Test func whatIsNotSelectedIsNoChange() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell(
      "cd stage && mkdir -p lib/node_modules/x out/sub && touch lib/node_modules/x/y lib/a.o lib/a.c out/sub/z && rm -r src"
    )
    #expect(
      try scratch.changes(
        since: snapshot, selecting: Selection(exclude: Patterns(["node_modules/", "*.o", "src/deep"]))
      ).lines
        == ["+lib/a.c", "+out/sub/z", "-src/link", "-src/one", "-src/two"])
    let changes = try scratch.changes(since: snapshot, selecting: Selection(include: Patterns(["out/"])))
    #expect(changes.lines == ["+out/sub/z"])
    #expect(changes.folders.map(\.description) == ["out", "out/sub"])
  }

  @Test func anEditOfTheSameSizeAndTimeIsAChange() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage && printf ONE | dd of=src/one conv=notrunc status=none && touch -d 2005-05-05 src/one")
    #expect(try scratch.changes(since: snapshot).lines == ["~src/one"])
  }

  @Test func aSymlinkWithAnotherTargetIsModified() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage/src && ln -sfn two link")
    let changes = try scratch.changes(since: snapshot)
    #expect(changes.lines == ["~src/link"])
    #expect(changes.changed[0].kind == .symlink)
  }

  @Test func aFileThatBecameASymlinkIsModified() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage/src && ln -sfn two one")
    #expect(try scratch.changes(since: snapshot).lines == ["~src/one"])
  }

  @Test func aFolderThatBecameAFileIsDeletedAndNew() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage && rm -r src && echo file > src")
    #expect(
      try scratch.changes(since: snapshot).lines
        == ["+src", "-src/deep/three", "-src/link", "-src/one", "-src/two"])
  }

  @Test func aFileThatBecameAFolderIsDeletedAndItsContentNew() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage/doc && rm doc && mkdir doc && echo a > doc/a")
    #expect(try scratch.changes(since: snapshot).lines == ["+doc/doc/a", "-doc/doc"])
  }

  @Test func aFileThatIsGoneFromTheOriginalCountsAsModified() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("rm -r source/src; touch stage/src/one")
    #expect(try scratch.changes(since: snapshot).lines == ["~src/one"])
  }

  @Test func aFIFOIsSkippedAndWhatItReplacedIsDeleted() throws {
    let (scratch, snapshot) = try scratch()
    try scratch.shell("cd stage && rm src/one && mkfifo src/one")
    let changes = try scratch.changes(since: snapshot)
    #expect(changes.lines == ["-src/one"])
    #expect(changes.skipped == [SkippedEntry(path: RelativePath("src/one"), reason: .fifo)])
  }
}
