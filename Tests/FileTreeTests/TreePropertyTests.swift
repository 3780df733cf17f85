import Crypto
import FileTree
import Foundation
import Testing

@Suite struct TreePropertyTests {
  /// More seeds were tried when this test was written; any number is valid.
  static let seeds = Array(UInt64(1)...40)

  @Test(arguments: seeds) func aStagedTreeEqualsItsSource(seed: UInt64) throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    var random = RandomTree(scratch["source"], seed: seed)
    random.makeTree()
    let snapshot = try scratch.stage()
    let source = try TestTree(scratch["source"]).nodes
    let expected = source.filter { $0.value != .special }.mapValues { node in
      switch node {
      case .file(let content, let mode, let modified):
        TestTree.Node.file(content: content, mode: mode & 0o1777, modified: modified)
      case .folder(let mode, let modified):
        // A skipped FIFO has changed the time of its source folder, which the copy keeps.
        TestTree.Node.folder(mode: mode & 0o1777, modified: modified)
      case .symlink, .special: node
      }
    }
    #expect(try TestTree(scratch["stage"]).nodes == expected)
    #expect(snapshot.skipped.map(\.path) == source.filter { $0.value == .special }.keys.sorted())
    #expect(try scratch.changes(since: snapshot).isEmpty)
    try scratch.remove("stage")
    #expect(!FileManager.default.fileExists(atPath: scratch["stage"]))
  }

  @Test(arguments: seeds) func changesAreWhatAFullComparisonFinds(seed: UInt64) throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir source")
    var random = RandomTree(scratch["source"], seed: seed)
    random.makeTree()
    let snapshot = try scratch.stage()
    let before = try TestTree(scratch["stage"]).contents
    var job = RandomTree(scratch["stage"], seed: seed &* 7919)
    try job.edit()
    let tree = try TestTree(scratch["stage"])
    let after = tree.contents

    let changes = try scratch.changes(since: snapshot)
    func paths(_ change: ChangedEntry.Change) -> [RelativePath] {
      changes.changed.filter { $0.change == change }.map(\.path)
    }
    #expect(paths(.new) == after.keys.filter { before[$0] == nil }.sorted())
    #expect(paths(.modified) == after.filter { before[$0.key] != nil && before[$0.key] != $0.value }.keys.sorted())
    #expect(changes.deleted == before.keys.filter { after[$0] == nil }.sorted())
    #expect(changes.skipped.map(\.path) == tree.nodes.filter { $0.value == .special }.keys.sorted())
    #expect(changes.failures.isEmpty)

    let export = try scratch.export(changes)
    let results = try TestTree(scratch["results"]).contents
    #expect(export.failures.isEmpty)
    #expect(Set(results.keys) == Set(export.files.map(\.path)))
    #expect(Set(export.files.map(\.path) + export.skipped.map(\.path)) == Set(changes.changed.map(\.path)))
    for file in export.files {
      #expect(results[file.path] == after[file.path])
      let bytes =
        switch after[file.path]! {
        case .file(let data): data
        case .symlink(let target): Data(target.utf8)
        }
      #expect(file.size == Int64(bytes.count))
      #expect(file.sha256 == SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined())
    }
  }
}
