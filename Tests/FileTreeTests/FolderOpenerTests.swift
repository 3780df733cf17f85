import Foundation
import SystemPackage
import Testing

@testable import FileTree

@Suite struct FolderOpenerTests {
  @Test func foldersThatAreMissingAreMade() throws {
    let scratch = try Scratch()
    let opener = FolderOpener(root: scratch.descriptor.rawValue, missing: .make(NewFolders()))
    _ = try opener.folder(Array("a/b/c".utf8)[...])
    _ = try opener.folder(Array("a/d".utf8)[...])
    #expect(try scratch.shell("find . | sort") == ".\n./a\n./a/b\n./a/b/c\n./a/d\n")
  }

  @Test(arguments: ["link", "link/sub", "file", "file/sub", "../x", "a/../b", "a//b", "."])
  func aPathThatIsNotOfFoldersBelowIsRefused(path: String) throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir a && ln -s /tmp link && touch file")
    let opener = FolderOpener(root: scratch.descriptor.rawValue, missing: .make(NewFolders()))
    #expect(throws: SystemCallError.self) { _ = try opener.folder(Array(path.utf8)[...]) }
    #expect(try scratch.shell("find . | sort") == ".\n./a\n./file\n./link\n")
  }

  @Test func descriptorsAreClosedAgain() throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p a/b/c d")
    let opener = FolderOpener(root: scratch.descriptor.rawValue)
    for _ in 0..<3 {
      _ = try opener.folder(Array("a/b/c".utf8)[...])
      _ = try? opener.folder(Array("a/missing".utf8)[...])
      _ = try opener.folder(Array("d".utf8)[...])
    }
    let open = try withExtendedLifetime(opener) { try openFolders(below: scratch) }
    #expect(open == ["d"])
  }

  /// This process's open files below a folder, from the links in proc(5).
  private func openFolders(below scratch: Scratch) throws -> [String] {
    let numbers = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
    let paths = numbers.compactMap { try? Scratch.place(of: $0) }
    let prefix = try Scratch.place(of: scratch.descriptor.rawValue) + "/"
    return paths.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
  }
}
