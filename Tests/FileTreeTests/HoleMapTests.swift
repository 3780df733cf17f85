import FileTree
import Foundation
import Synchronization
import SystemPackage
import Testing

/// Sparse files, and canceled work: a step can create the largest file with one call.
@Suite struct HoleMapTests {
  @Test func holeOfManyTerabytesIsNoWork() throws {
    let scratch = try Scratch()
    try scratch.shell(
      "mkdir source && truncate -s 4T source/known && printf x | dd of=source/known bs=1 seek=1T conv=notrunc 2>/dev/null"
    )
    let snapshot = try scratch.stage()
    // The same content with another ctime, and a new file.
    try scratch.shell("chmod 600 stage/known && chmod 644 stage/known && truncate -s 15T stage/huge")
    let begin = ContinuousClock.now
    let changes = try scratch.changes(since: snapshot)
    #expect(changes.lines == ["+huge"])
    let export = try scratch.export(changes)
    #expect(ContinuousClock.now - begin < .seconds(20))
    #expect(export.failures.isEmpty)
    #expect(export.files.map(\.sha256) == [nil])
    #expect(try scratch.shell("stat -c '%s %b' results/huge") == "\(15 << 40) 0\n")
  }

  @Test func differenceBehindAHoleIsFound() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source && truncate -s 1T source/file source/end")
    let snapshot = try scratch.stage()
    try scratch.shell(
      """
      printf x | dd of=stage/file bs=1 seek=500G conv=notrunc 2>/dev/null
      printf x | dd of=stage/end bs=1 seek=\((1 << 40) - 1) conv=notrunc 2>/dev/null
      """)
    #expect(try scratch.changes(since: snapshot).lines == ["~end", "~file"])
  }

  /// A hole and written zeros are equal content.
  @Test func writtenZerosAreNoChange() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source && truncate -s 3M source/file")
    let snapshot = try scratch.stage()
    try scratch.shell("head -c 3145728 /dev/zero | dd of=stage/file conv=notrunc 2>/dev/null")
    #expect(try scratch.changes(since: snapshot).isEmpty)
  }

  @Test func canceledSearchSaysSo() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/a source/b && touch source/a/file source/b/file")
    let snapshot = try scratch.stage()
    let failure = #expect(throws: FileTreeError.self) {
      try scratch.open("source") { source in
        try scratch.open("stage") {
          _ = try FileTree.changes(in: $0, since: snapshot, original: source, isCanceled: { true })
        }
      }
    }
    #expect(failure?.isCancellation == true)
  }

  /// Complete files stay and are reported; incomplete ones leave nothing. Hashing of a hole can be canceled, too.
  @Test func canceledExportTellsWhatIsMissing() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source results")
    let snapshot = try scratch.stage()
    try scratch.shell("echo 1 > stage/a && echo 2 > stage/b && truncate -s 15G stage/c && echo 4 > stage/d")
    let changes = try scratch.changes(since: snapshot)
    // Called before each file, and for each piece of c.
    let asked = Atomic(0)
    let export = try scratch.open("stage") { stage in
      try scratch.open("results") {
        try FileTree.export(
          changes, from: stage, to: $0, threads: 1,
          isCanceled: { asked.add(1, ordering: .relaxed).newValue > 20 })
      }
    }
    #expect(export.files.map(\.path.description) == ["a", "b"])
    #expect(export.unfinished.map(\.description) == ["c", "d"])
    #expect(export.failures.isEmpty)
    #expect(try scratch.shell("ls -A results") == "a\nb\n")
  }

  @Test func canceledDigestSaysSo() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source && truncate -s 15T source/huge")
    let asked = Atomic(0)
    let failure = #expect(throws: FileTreeError.self) {
      try scratch.open("source") {
        _ = try FileTree.digest(of: $0, isCanceled: { asked.add(1, ordering: .relaxed).newValue > 5 })
      }
    }
    #expect(failure?.isCancellation == true)
  }

  @Test func canceledRemovalLeavesTheRest() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p tree/a && seq 100 | split -l 1 -a 3 - tree/a/f")
    let asked = Atomic(0)
    let failure = #expect(throws: FileTreeError.self) {
      try FileTree.remove(
        "tree", in: scratch.descriptor, isCanceled: { asked.add(1, ordering: .relaxed).newValue > 10 })
    }
    #expect(failure?.isCancellation == true)
    let left = try #require(Int(try scratch.shell("ls tree/a | wc -l").filter(\.isNumber)))
    #expect(left > 50 && left < 100)
  }
}
