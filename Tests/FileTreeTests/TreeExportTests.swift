import FileTree
import Foundation
import SystemPackage
import Testing

@Suite struct TreeExportTests {
  @Test func changedFilesAreInTheResultsWithTheirDigests() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/a && echo old > source/a/old && echo same > source/same")
    let snapshot = try scratch.stage()
    try scratch.shell("cd stage && printf abc > a/old && mkdir -p b/c && printf '' > b/c/new && chmod 6750 a/old")
    try scratch.shell("touch -d 2011-11-11 stage/a/old")
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(export.failures.isEmpty)
    #expect(export.files.map(\.path.description) == ["a/old", "b/c/new"])
    #expect(export.files[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(export.files[1].sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(export.files[0].size == 3)
    #expect(export.files[0].mode == 0o750)
    #expect(export.files.map(\.change) == [.modified, .new])
    #expect(try scratch.shell("cd results && cat a/old && stat -c '%a %y' a/old | cut -c1-14") == "abc750 2011-11-11\n")
    #expect(try scratch.shell("cd results && find . | sort") == ".\n./a\n./a/old\n./b\n./b/c\n./b/c/new\n")
  }

  @Test func newFoldersHaveTheModesOfThoseInTheTree() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    let snapshot = try scratch.stage()
    try scratch.shell(
      """
      cd stage && mkdir -p private/sub locked/sub plain && echo s > private/sub/key && echo x > locked/sub/x
      echo p > plain/p && chmod 755 plain private/sub && chmod 700 private && chmod 550 locked/sub locked
      """)
    defer { _ = try? scratch.shell("chmod -R u+w stage results") }
    let export = try scratch.export(try scratch.changes(since: snapshot)) {
      $0.text?.hasPrefix("plain") == true ? RelativePath("_artifacts/\($0)") : nil
    }
    #expect(export.failures.isEmpty)
    let modes = try scratch.shell(
      "cd results && find . -mindepth 1 -type d ! -name _artifacts -printf '%m %P\\n' | LC_ALL=C sort -k2")
    #expect(modes == "755 _artifacts/plain\n550 locked\n550 locked/sub\n700 private\n755 private/sub\n")
  }

  @Test func emptyFoldersComeBackWithTheirModes() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source/kept source/changed")
    let snapshot = try scratch.stage()
    try scratch.shell("cd stage && mkdir -p new/empty && chmod 750 new/empty && chmod 711 changed")
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(export.failures.isEmpty && export.files.isEmpty)
    #expect(
      try scratch.shell("cd results && find . -mindepth 1 -printf '%m %P\\n' | LC_ALL=C sort -k2")
        == "711 changed\n755 new\n750 new/empty\n")
  }

  @Test func symlinksThatLeadOutAreSkipped() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    let snapshot = try scratch.stage()
    try scratch.shell(
      """
      cd stage && mkdir -p a/b real && ln -s /etc/passwd absolute && ln -s ../../x a/out && ln -s ../x a/inside
      ln -s nowhere dangling && ln -s . dot && ln -s dot/.. tricky && ln -s real/../x fine && ln -s loop loop
      ln -s ../.. a/b/root && ln -s ../../.. a/b/above
      """)
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(export.failures.isEmpty)
    #expect(export.skipped.map(\.path.description) == ["a/b/above", "a/out", "absolute", "tricky"])
    #expect(Set(export.skipped.map(\.reason)) == [.escapingSymlink])
    #expect(export.files.map(\.path.description) == ["a/b/root", "a/inside", "dangling", "dot", "fine", "loop"])
    #expect(try scratch.shell("readlink results/a/inside") == "../x\n")
    #expect(export.files[2].size == 7)
  }

  @Test func storedAsIsWhereAFileLies() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    let snapshot = try scratch.stage()
    try scratch.shell("echo mine > stage/result.json; echo other > stage/other")
    let export = try scratch.export(try scratch.changes(since: snapshot)) {
      $0.text == "result.json" ? RelativePath("_artifacts/result.json") : nil
    }
    #expect(export.files.map(\.storedAs) == [nil, RelativePath("_artifacts/result.json")])
    #expect(try scratch.shell("cat results/_artifacts/result.json; ls results") == "mine\n_artifacts\nother\n")
  }

  @Test func aSymlinkPlantedInTheResultsIsNotFollowed() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source outside results && echo keep > outside/file && ln -s ../outside results/sub")
    let snapshot = try scratch.stage()
    try scratch.shell(
      "ln -s ../outside/file results/link; cd stage; mkdir sub; echo bad > sub/file; echo l > link; echo o > ok")
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(export.files.map(\.path.description) == ["link", "ok"])
    #expect(export.failures.map(\.path.description) == ["sub/file"])
    #expect(try scratch.shell("cat outside/file; ls outside; cat results/link") == "keep\nfile\nl\n")
  }

  @Test func oneFailureDoesNotKeepTheOthersBackAndLeavesNothing() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p source results/taken/full && touch results/taken/full/x")
    let snapshot = try scratch.stage()
    try scratch.shell("cd stage && mkdir taken && echo a > taken/full && echo b > b && echo c > c")
    let changes = try scratch.changes(since: snapshot)
    try scratch.shell("rm stage/c")
    let export = try scratch.export(changes)
    #expect(export.files.map(\.path.description) == ["b"])
    #expect(export.failures.map(\.path.description) == ["c", "taken/full"])
    #expect(try scratch.shell("cd results && find . -type f | sort") == "./b\n./taken/full/x\n")
  }

  @Test func manyFilesAreExported() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    let snapshot = try scratch.stage()
    try scratch.shell("mkdir -p stage/a/b && cd stage/a/b && seq 500 | split -l 1 -a 4 - file-number-")
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(export.files.count == 500)
    let sums = try scratch.shell("cd results && LC_ALL=C sha256sum a/b/*")
    #expect(export.files.map { "\($0.sha256 ?? "none")  \($0.path)\n" }.joined() == sums)
  }

  @Test(.enabled(if: geteuid() == 0)) func whatIsMadeBelongsToTheOwner() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    let snapshot = try scratch.stage()
    try scratch.shell("mkdir -p stage/a/b; echo f > stage/a/b/f; ln -s f stage/a/b/l")
    _ = try scratch.export(try scratch.changes(since: snapshot), owner: Owner(user: 12, group: 34))
    #expect(try scratch.shell("cd results && stat -c %u:%g a a/b a/b/f a/b/l | sort -u") == "12:34\n")
  }

  @Test func holesStayHolesAndAreInTheDigest() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    let snapshot = try scratch.stage()
    try scratch.shell("cd stage && truncate -s 50M f && printf x | dd of=f bs=1 seek=20000000 conv=notrunc status=none")
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(try scratch.shell("sha256sum < stage/f | cut -c1-64") == (export.files[0].sha256 ?? "none") + "\n")
    #expect(
      try scratch.shell("cmp stage/f results/f && test $(du -k results/f | cut -f1) -lt 1024 && echo sparse")
        == "sparse\n")
  }

  @Test func aFolderThatBecameASymlinkIsNotFollowed() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source outside && echo secret > outside/file")
    let snapshot = try scratch.stage()
    try scratch.shell("mkdir stage/sub && echo mine > stage/sub/file && echo ok > stage/ok")
    let changes = try scratch.changes(since: snapshot)
    try scratch.shell("rm -r stage/sub && ln -s ../outside stage/sub")
    let export = try scratch.export(changes)
    #expect(export.files.map(\.path.description) == ["ok"])
    #expect(export.failures.map(\.path.description) == ["sub/file"])
  }

  @Test func aPathThatLeadsUpIsRefused() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source && echo a > source/a")
    let snapshot = try scratch.stage()
    try scratch.shell("echo bb > stage/a")
    let export = try scratch.export(try scratch.changes(since: snapshot)) { _ in RelativePath("../../a") }
    #expect(export.failures.count == 1)
    #expect(export.failures.first?.errno == .invalidArgument)
  }

  @Test func anExportReplacesWhatIsThere() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source results && echo a > source/a && echo earlier > results/a && chmod 400 results/a")
    let snapshot = try scratch.stage()
    try scratch.shell("echo now > stage/a")
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(export.failures.isEmpty)
    #expect(try scratch.shell("cat results/a; ls -A results") == "now\na\n")
  }
}
