import FileTree
import Foundation
import Synchronization
import SystemPackage
import Testing

@Suite struct TreeCopyTests {
  @Test func copyEqualsTheSource() throws {
    let scratch = try Scratch()
    try scratch.shell(
      """
      mkdir -p source/a/b source/empty 'source/odd name' && cd source
      printf hello > a/hello; printf '' > a/b/nothing; head -c 300000 /dev/urandom > a/b/large
      ln -s hello a/link; ln -s nowhere dangling; ln -s loop loop; ln -s /etc absolute
      printf x > "$(printf 'new\\nline')"; printf y > 'odd name/*'
      chmod 640 a/hello; chmod 755 a/b/large; chmod 444 a/b/nothing; chmod 555 a/b; chmod 700 empty
      touch -d '2001-02-03 04:05:06.789' a/hello a/b a; touch -h -d '2002-02-03' a/link
      """)
    let snapshot = try scratch.stage()
    #expect(try scratch.listing("stage") == scratch.listing("source"))
    #expect(snapshot.files == 9)
    #expect(snapshot.bytes == 300_007)
    #expect(snapshot.skipped.isEmpty)
  }

  /// The check runs before each entry is opened, so that the test can remove other entries at that time.
  @Test func whatVanishesWhileAFolderIsListedIsPassedOver() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/sub && cd source && touch a b c d e sub/x && ln -s a link")
    let hasRun = Atomic(false)
    let path = scratch["source"]
    try scratch.shell("mkdir stage")
    let snapshot = try scratch.open("source") { source in
      try scratch.open("stage") {
        try FileTree.copy(
          source, to: $0, threads: 1,
          isCanceled: {
            if hasRun.exchange(true, ordering: .relaxed) { return false }
            for name in ["b", "d", "link", "sub/x"] { unlink("\(path)/\(name)") }
            rmdir("\(path)/sub")
            return false
          })
      }
    }
    #expect(snapshot.skipped.isEmpty)
    #expect(try scratch.shell("cd stage && find . -mindepth 1 ! -name sub | sort") == "./a\n./c\n./e\n")
    #expect(try scratch.changes(since: snapshot).isEmpty)
  }

  @Test func excludedNamesAreLeftOutAtTheTopOnly() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/results source/src/results && touch source/results/a source/src/results/b")
    try scratch.stage(excluding: ["results"])
    #expect(try scratch.shell("cd stage && find . -type f") == "./src/results/b\n")
  }

  @Test func manyFilesInOneFolderAreCopied() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source && cd source && seq 5000 | split -l 1 -a 4 - file-number-")
    try scratch.stage()
    #expect(try scratch.listing("stage") == scratch.listing("source"))
  }

  @Test func manyFoldersAreCopied() throws {
    let scratch = try Scratch()
    try scratch.shell(
      """
      mkdir source && cd source
      for a in 1 2 3 4 5 6 7 8 9 10; do for b in 1 2 3 4 5 6 7 8 9 10; do
        mkdir -p $a/$b/c/d; echo $a$b > $a/$b/file; echo $a > $a/$b/c/d/e; done; done
      """)
    try scratch.stage()
    #expect(try scratch.listing("stage") == scratch.listing("source"))
  }

  @Test func setuidAndSetgidAreDropped() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/folder && cd source && touch file && chmod 6755 file && chmod 2755 folder")
    try scratch.stage()
    #expect(try scratch.shell("stat -c %a stage/file stage/folder") == "755\n755\n")
  }

  @Test func holesStayHoles() throws {
    let scratch = try Scratch()
    try scratch.shell(
      """
      mkdir source && truncate -s 10G source/sparse
      head -c 1M /dev/urandom | dd of=source/sparse bs=1M seek=5000 conv=notrunc status=none
      truncate -s 1M source/all-hole
      """)
    try scratch.stage()
    try scratch.shell(
      """
      test "$(stat -c %s stage/sparse)" = 10737418240
      test "$(du -k stage/sparse | cut -f1)" -lt 2048
      test "$(du -k stage/all-hole | cut -f1)" -lt 64
      cmp -i 5242880000 -n 1048576 source/sparse stage/sparse
      """)
  }

  @Test func specialFilesAreSkippedAndListed() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/sub && mkfifo source/sub/pipe && touch source/file")
    let snapshot = try scratch.stage()
    #expect(snapshot.skipped == [SkippedEntry(path: RelativePath("sub/pipe"), reason: .fifo)])
    #expect(try scratch.shell("cd stage && find . | sort") == ".\n./file\n./sub\n")
  }

  @Test func namesAreBytes() throws {
    let scratch = try Scratch()
    try scratch.shell(#"mkdir source && cd source && printf x > "$(printf 'caf\351')""#)
    let snapshot = try scratch.stage()
    #expect(try scratch.shell(#"cat "stage/$(printf 'caf\351')""#) == "x")
    try scratch.shell(#"printf yy > "stage/$(printf 'caf\351')""#)
    let changes = try scratch.changes(since: snapshot)
    #expect(changes.changed.map(\.path.bytes) == [[0x63, 0x61, 0x66, 0xE9]])
    #expect(changes.changed[0].path.text == nil)
  }

  @Test func aPathOfFiveThousandCharactersIsCopied() throws {
    let scratch = try Scratch()
    // 500 nested folders with names of 10 characters, each with a sibling, so that folders must be reopened.
    try scratch.shell(
      """
      mkdir source && cd -P source
      i=0; while [ $i -lt 500 ]; do
        mkdir folder_xyz folder_abc; echo $i > folder_abc/file; touch -d 2010-01-01 folder_abc; chmod 555 folder_abc
        cd -P folder_xyz; i=$((i+1)); done
      echo deep > deep
      """)
    let snapshot = try scratch.stage()
    #expect(snapshot.files == 501)
    #expect(try scratch.shell("cd stage && find . -name deep -execdir cat {} +") == "deep\n")
    #expect(try scratch.shell("cd stage && find . -name folder_abc -newermt 2010-01-02 | wc -l") == "0\n")
    #expect(try scratch.changes(since: snapshot).isEmpty)
    try scratch.remove("stage")
    #expect(try scratch.shell("ls -d sta* || true") == "")
  }

  @Test func anUnreadableFileIsReadByRootOrNamed() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/sub && printf secret > source/sub/file && chmod 000 source/sub/file")
    if geteuid() == 0 {
      try scratch.stage()
      #expect(try scratch.shell("cat stage/sub/file; stat -c %a stage/sub/file") == "secret0\n")
    } else {
      let error = #expect(throws: FileTreeError.self) { try scratch.stage() }
      #expect(error?.path == RelativePath("sub/file"))
      #expect(error?.errno == .permissionDenied)
    }
  }

  @Test func anExistingNameInTheDestinationIsAnErrorThatNamesIt() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && touch source/file stage/file")
    let error = #expect(throws: FileTreeError.self) {
      try scratch.open("source") { source in
        try scratch.open("stage") { _ = try FileTree.copy(source, to: $0) }
      }
    }
    #expect(error?.path == RelativePath("file"))
    #expect(error?.errno == .fileExists)
    #expect(error?.description == "cannot copy (create) 'file': File exists")
  }

  @Test func canceledCopyEndsSoonAndSaysSo() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && cd source && seq 1000 | split -l 1 -a 4 - f-")
    let asked = Atomic<Int>(0)
    let failure = #expect(throws: FileTreeError.self) {
      try scratch.open("source") { source in
        try scratch.open("stage") {
          _ = try FileTree.copy(
            source, to: $0, isCanceled: { asked.add(1, ordering: .relaxed).newValue > 20 })
        }
      }
    }
    #expect(failure?.errno == .canceled)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch["stage"]).count < 100)
  }

  @Test func progressEndsWithEverything() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && head -c 1000 /dev/zero > source/file")
    try scratch.open("source") { source in
      try scratch.open("stage") {
        let snapshot = try FileTree.copy(source, to: $0, progress: { #expect($0.bytes <= 1000) })
        #expect(snapshot.bytes == 1000)
      }
    }
  }

  @Test func aFullDiskIsAnErrorThatSaysSo() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && head -c 1000000 /dev/zero > source/large")
    // Only where the test may mount.
    guard (try? scratch.shell("mount -t tmpfs -o size=128k none stage 2>/dev/null")) != nil else { return }
    defer { _ = try? scratch.shell("umount stage") }
    let error = #expect(throws: FileTreeError.self) {
      try scratch.open("source") { source in
        try scratch.open("stage") { _ = try FileTree.copy(source, to: $0) }
      }
    }
    #expect(error?.errno == .noSpace)
    #expect(error?.path == RelativePath("large"))
    #expect(error?.description.hasSuffix("No space left on device; free space or inodes on that file system") == true)
  }

  @Test func aCopyToAnotherFileSystemIsTheSame() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && head -c 3000000 /dev/urandom > source/large && echo small > source/small")
    guard (try? scratch.shell("mount -t tmpfs none stage 2>/dev/null")) != nil else { return }
    defer { _ = try? scratch.shell("umount stage") }
    try scratch.open("source") { source in
      try scratch.open("stage") { _ = try FileTree.copy(source, to: $0) }
    }
    #expect(try scratch.listing("stage") == scratch.listing("source"))
  }

  @Test func progressGrowsAndIsNotToldTooOften() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source stage && seq 5000 | split -l 1 -a 4 - source/file-")
    let reports = Mutex<[CopyProgress]>([])
    try scratch.open("source") { source in
      try scratch.open("stage") {
        _ = try FileTree.copy(source, to: $0, progress: { report in reports.withLock { $0.append(report) } })
      }
    }
    let told = reports.withLock { $0 }
    #expect(zip(told, told.dropFirst()).allSatisfy { $1.elapsed - $0.elapsed >= .milliseconds(90) })
  }

  @Test func whatIsNotSelectedIsNotCopied() throws {
    let scratch = try Scratch()
    try scratch.shell(
      "mkdir -p source/data/raw source/lib && cd source && touch data/raw/x data/y lib/a.iso lib/b keep.iso")
    try scratch.stage(selecting: Selection(exclude: Patterns(["*.iso", "/data/raw/", "!keep.iso"])))
    #expect(
      try scratch.shell("cd stage && find . -mindepth 1 | LC_ALL=C sort")
        == "./data\n./data/y\n./keep.iso\n./lib\n./lib/b\n")
  }

  @Test func foldersThatExistAreFilledAndKeepTheirModes() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/a/b stage/a && chmod 700 stage/a && chmod 755 source/a && touch source/a/b/c")
    try scratch.open("source") { source in
      try scratch.open("stage") { stage in
        _ = try FileTree.copy(source, to: stage, selecting: Selection(include: Patterns(paths: [RelativePath("a/b")])))
      }
    }
    #expect(try scratch.shell("cd stage && find . -mindepth 1 -printf '%P %m\\n' | sort | head -1") == "a 700\n")
    #expect(try scratch.shell("ls stage/a/b") == "c\n")
  }
}
