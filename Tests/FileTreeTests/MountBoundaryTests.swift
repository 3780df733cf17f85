import Foundation
import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import FileTree

/// No operation crosses a mount: neither a bind mount of the same file system, which `st_dev` does not show, nor
/// another file system, on a folder or on a file.
@Suite(.enabled(if: geteuid() == 0, "only root can mount"))
struct MountBoundaryTests {
  private let scratch: Scratch
  private static let precious = [".", "./deep", "./deep/er", "./deep/er/file", "./file"]

  init() throws {
    scratch = try Scratch()
    try scratch.shell(
      "mkdir -p precious/deep/er source results && echo 1 > precious/file && echo 2 > precious/deep/er/file")
  }

  /// Binds `precious` to folders and its file to files, during the call.
  private func mounted(_ folders: [String], _ files: [String] = [], _ body: () throws -> Void) throws {
    for folder in folders { try scratch.shell("mkdir -p \(folder) && mount --bind precious \(folder)") }
    for file in files { try scratch.shell("touch \(file) && mount --bind precious/file \(file)") }
    defer {
      for place in folders + files { umount2(scratch[place], Int32(MNT_DETACH)) }
    }
    try body()
    #expect(
      try scratch.shell("cd precious && find . | LC_ALL=C sort").split(separator: "\n") == Self.precious.map { $0[...] }
    )
    #expect(try scratch.shell("cat precious/file precious/deep/er/file") == "1\n2\n")
  }

  @Test func mountsInASourceAreListedAndNotCopied() throws {
    try scratch.shell("mkdir -p source/a && echo x > source/a/own")
    try mounted(["source/a/mnt", "source/top"], ["source/a/bound"]) {
      let snapshot = try scratch.stage()
      #expect(snapshot.skipped.map(\.path.description) == ["a/bound", "a/mnt", "top"])
      #expect(Set(snapshot.skipped.map(\.reason)) == [.mount])
      #expect(try scratch.shell("cd stage && find . | LC_ALL=C sort") == ".\n./a\n./a/own\n")
    }
  }

  @Test func mountsInATreeAreNoChanges() throws {
    try scratch.shell(
      "mkdir -p source/known && echo x > source/known/kept && echo y > source/over && echo z > source/same")
    let snapshot = try scratch.stage()
    try scratch.shell("mkdir -p stage/new && echo n > stage/new/own")
    try mounted(["stage/known", "stage/new/mnt"], ["stage/over", "stage/new/bound"]) {
      let changes = try scratch.changes(since: snapshot)
      #expect(changes.lines == ["+new/own"])
      #expect(changes.skipped.map(\.path.description) == ["known", "new/bound", "new/mnt", "over"])
      #expect(Set(changes.skipped.map(\.reason)) == [.mount])
      #expect(changes.failures.isEmpty)
    }
  }

  @Test func mountThatAppearsBeforeTheExportIsNotExported() throws {
    let snapshot = try scratch.stage()
    try scratch.shell(
      "mkdir -p stage/a stage/b && echo x > stage/a/file && echo x > stage/b/file && echo x > stage/own")
    let changes = try scratch.changes(since: snapshot)
    try mounted(["stage/a"], ["stage/b/file"]) {
      let export = try scratch.export(changes)
      #expect(export.files.map(\.path.description) == ["own"])
      #expect(export.skipped.map(\.path.description) == ["a/file", "b/file"])
      #expect(try scratch.shell("cat results/own; find results -type f") == "x\nresults/own\n")
    }
  }

  @Test func nothingIsWrittenIntoAMountInTheResults() throws {
    let snapshot = try scratch.stage()
    try scratch.shell("mkdir -p stage/out && echo changed > stage/out/file && echo x > stage/own")
    try mounted(["results/out"]) {
      let export = try scratch.export(try scratch.changes(since: snapshot))
      #expect(export.files.map(\.path.description) == ["own"])
      #expect(export.failures.map(\.path.description) == ["out/file"])
      #expect(export.failures.first?.description.contains("it is a mount point") == true)
    }
  }

  @Test func digestIsThatOfWhatIsCopied() throws {
    try scratch.shell("mkdir -p source/a && echo x > source/a/own")
    let bare = try scratch.open("source") { try FileTree.digest(of: $0) }
    try mounted(["source/a/mnt"], ["source/bound"]) {
      #expect(try scratch.open("source") { try FileTree.digest(of: $0) } == bare)
      try scratch.stage()
      #expect(try scratch.open("stage") { try FileTree.digest(of: $0) } == bare)
    }
  }

  @Test func removalLeavesAMountAndTheFoldersAboveItAndNothingElse() throws {
    try scratch.shell(
      "mkdir -p tree/a/b tree/c/d && seq 500 | split -l 1 -a 3 - tree/a/b/f && touch tree/c/d/file tree/top")
    try mounted(["tree/a/b/mnt", "tree/e"], ["tree/c/bound"]) { () throws in
      let failure = #expect(throws: FileTreeError.self) { try scratch.remove("tree") }
      #expect(failure?.description.contains("it is a mount point") == true)
      #expect(
        try scratch.shell("find tree -name mnt -prune -print -o -name e -prune -print -o -print | LC_ALL=C sort")
          == "tree\ntree/a\ntree/a/b\ntree/a/b/mnt\ntree/c\ntree/c/bound\ntree/e\n")
    }
    try scratch.remove("tree")
    #expect(try scratch.shell("ls") == "precious\nresults\nsource\n")
  }

  /// Mounted content keeps its mode, even where its owner has no rights.
  @Test func removalLeavesTheModeOfWhatIsMounted() throws {
    try scratch.shell("chmod 000 precious")
    try mounted(["tree/mnt"]) { () throws in
      #expect(throws: FileTreeError.self) { try scratch.remove("tree") }
      #expect(try scratch.shell("stat -c %a precious") == "0\n")
    }
  }

  @Test func anotherFileSystemIsAMountAsWell() throws {
    try scratch.shell("mkdir -p tree/mnt && mount -t tmpfs none tree/mnt && touch tree/mnt/file tree/own")
    defer { umount2(scratch["tree/mnt"], Int32(MNT_DETACH)) }
    #expect(throws: FileTreeError.self) { try scratch.remove("tree") }
    #expect(try scratch.shell("find tree | LC_ALL=C sort") == "tree\ntree/mnt\ntree/mnt/file\n")
  }

  /// The start of a walk may be a mount: the user chose it.
  @Test func rootOfAWalkMayBeAMount() throws {
    try scratch.shell(
      "mkdir stage tree && mount --bind source source && mount -t tmpfs none stage && mount -t tmpfs none results")
    defer { for place in ["source", "stage", "results"] { umount2(scratch[place], Int32(MNT_DETACH)) } }
    try scratch.shell("mkdir source/a && echo x > source/a/file")
    let snapshot = try scratch.open("source") { source in
      try scratch.open("stage") { try FileTree.copy(source, to: $0) }
    }
    #expect(snapshot.skipped.isEmpty)
    try scratch.shell("echo y > stage/a/file")
    let export = try scratch.export(try scratch.changes(since: snapshot))
    #expect(export.files.map(\.path.description) == ["a/file"])
    try scratch.open("results") { try FileTree.makeDurable($0) }
    try scratch.open("stage") { try FileTree.remove("a", in: $0) }
    #expect(try scratch.shell("cat results/a/file; ls stage") == "y\n")
  }

  /// Mounts appear and vanish while a tree is removed repeatedly. The mounted content survives.
  @Test func mountsThatAppearDuringARemovalLoseNothing() throws {
    let isOver = Atomic(false)
    let places = ["tree/a/b", "tree/a", "tree/c"].map { scratch[$0] }
    let mounter = Thread { [precious = scratch["precious"]] in
      while !isOver.load(ordering: .relaxed) {
        for place in places {
          _ = mount(precious, place, "", UInt(MS_BIND), nil)
          umount2(place, Int32(MNT_DETACH))
          _ = mount(precious, place, "", UInt(MS_BIND), nil)
        }
      }
    }
    mounter.start()
    for _ in 0..<100 {
      _ = try? scratch.shell(
        "mkdir -p tree/a/b tree/c 2>/dev/null; touch tree/c/file tree/a/b/file 2>/dev/null || true")
      try? scratch.remove("tree")
    }
    isOver.store(true, ordering: .relaxed)
    while !mounter.isFinished { sched_yield() }
    for place in places + places {
      while umount2(place, Int32(MNT_DETACH)) == 0 {}
    }
    #expect(try scratch.shell("cat precious/deep/er/file") == "2\n")
  }

  /// Kernels before Linux 5.6, and seccomp filters that do not know openat2(2).
  @Test(arguments: [MountBoundary.Method.resolve, .compare]) func eitherWayToAskFindsMounts(
    _ method: MountBoundary.Method
  ) throws {
    let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC
    try scratch.shell("mkdir -p tree/plain && touch tree/file")
    try mounted(["tree/mnt"], ["tree/bound"]) {
      try scratch.open("tree") { tree in
        for name in ["plain", "file", ".", ".."] {
          let file = try MountBoundary.open(.open, name, in: tree.rawValue, flags, by: method)
          close(file)
        }
        for name in ["mnt", "bound"] {
          let failure = #expect(throws: SystemCallError.self) {
            _ = try MountBoundary.open(.open, name, in: tree.rawValue, flags, by: method)
          }
          #expect(failure?.isMount == true)
          #expect(try MountBoundary.lies(on: name, in: tree.rawValue))
        }
        #expect(try !MountBoundary.lies(on: "plain", in: tree.rawValue))
      }
    }
  }
}
