import FileTree
import Foundation
import SystemPackage
import Testing

@Suite struct TreeRemovalTests {
  @Test func aTreeIsRemovedWhole() throws {
    let scratch = try Scratch()
    try scratch.shell(
      """
      mkdir -p tree/a/b/c tree/d keep && touch keep/me && ln -s ../keep tree/link && ln -s ../../keep tree/a/link
      mkfifo tree/fifo; touch tree/a/b/c/file; cd tree/d && seq 3000 | split -l 1 -a 4 - file-number-
      """)
    try scratch.remove("tree")
    #expect(try scratch.shell("find . | sort") == ".\n./keep\n./keep/me\n")
  }

  @Test func aMissingNameIsNoError() throws {
    try Scratch().remove("nothing")
  }

  @Test func aFileAndASymlinkAreRemovedThemselves() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir keep && touch keep/me file && ln -s keep link")
    try scratch.remove("file")
    try scratch.remove("link")
    #expect(try scratch.shell("find . | sort") == ".\n./keep\n./keep/me\n")
  }

  @Test func foldersWithoutRightsAreRemoved() throws {
    let scratch = try Scratch()
    try scratch.shell(
      "mkdir -p tree/a/b && touch tree/a/b/file && chmod 000 tree/a/b && chmod 500 tree/a && chmod 000 tree")
    try scratch.remove("tree")
    #expect(try scratch.shell("ls") == "")
  }

  @Test func aNameWithASlashOrDotsIsRefused() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p a/b")
    for name in ["a/b", "..", ".", "", "../x"] {
      #expect(throws: FileTreeError.self) { try scratch.remove(name) }
    }
    #expect(try scratch.shell("ls a") == "b\n")
  }

  @Test func theFolderAroundIsLeftAsItIs() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p around/tree/sub && touch around/file && chmod 555 around")
    defer { _ = try? scratch.shell("chmod 755 around") }
    try scratch.open("around") { around in
      for name in ["tree", "file"] {
        if geteuid() == 0 {
          try FileTree.remove(name, in: around)
        } else {
          #expect(throws: FileTreeError.self) { try FileTree.remove(name, in: around) }
        }
      }
    }
    #expect(try scratch.shell("stat -c %a around") == "555\n")
  }
}
