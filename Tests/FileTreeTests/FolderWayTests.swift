import Foundation
import SystemPackage
import Testing

@testable import FileTree

@Suite struct FolderWayTests {
  @Test func foldersThatAreMissingAreMade() throws {
    let scratch = try Scratch()
    let way = FolderWay(root: scratch.descriptor.rawValue, missing: .make(NewFolders()))
    _ = try way.folder(Array("a/b/c".utf8)[...])
    _ = try way.folder(Array("a/d".utf8)[...])
    #expect(try scratch.shell("find . | sort") == ".\n./a\n./a/b\n./a/b/c\n./a/d\n")
  }

  @Test(arguments: ["link", "link/sub", "file", "file/sub", "../x", "a/../b", "a//b", "."])
  func aPathThatIsNotOfFoldersBelowIsRefused(path: String) throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir a && ln -s /tmp link && touch file")
    let way = FolderWay(root: scratch.descriptor.rawValue, missing: .make(NewFolders()))
    #expect(throws: CallFailure.self) { _ = try way.folder(Array(path.utf8)[...]) }
    #expect(try scratch.shell("find . | sort") == ".\n./a\n./file\n./link\n")
  }

  @Test func descriptorsAreClosedAgain() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p a/b/c d")
    let way = FolderWay(root: scratch.descriptor.rawValue)
    for _ in 0..<3000 {
      _ = try way.folder(Array("a/b/c".utf8)[...])
      _ = try way.folder(Array("d".utf8)[...])
      _ = try? way.folder(Array("a/missing".utf8)[...])
    }
  }
}
