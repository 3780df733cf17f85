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
      var synced: [String] = []
      try FileTree.syncEach(below: tree.rawValue) { file in
        synced.append((try? Scratch.place(of: file)) ?? "?")
      }
      let place = try Scratch.place(of: tree.rawValue)
      let all = try scratch.shell("find tree -type f -o -type d").split(separator: "\n")
      #expect(synced.sorted() == all.map { place + $0.dropFirst("tree".count) }.sorted())
    }
  }
}
