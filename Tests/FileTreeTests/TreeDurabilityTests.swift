import SystemPackage
import Testing

@testable import FileTree

@Suite struct TreeDurabilityTests {
  @Test func wholeTreeIsSyncedHoweverDeepItIs() throws {
    let scratch = try Scratch()
    let path = Array(repeating: "d", count: 300).joined(separator: "/")
    try scratch.shell(
      "mkdir -p tree/\(path) tree/a tree/b/c && touch tree/\(path)/file tree/a/file tree/b/c/file && ln -s ../a tree/b/link"
    )
    try scratch.open("tree") { tree in
      try FileTree.makeDurable(tree)
      // As on file systems without a true syncfs(2).
      try FileTree.syncEach(below: tree.rawValue)
    }
  }
}
