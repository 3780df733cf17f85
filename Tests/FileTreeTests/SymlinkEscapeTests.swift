import Foundation
import SystemPackage
import Testing

@testable import FileTree

@Suite struct SymlinkEscapeTests {
  @Test(arguments: [
    ("link", "file", false), ("link", "a/b", false), ("link", ".", false), ("link", "", false), ("link", "..", true),
    ("link", "/", true), ("link", "/etc/hosts", true), ("link", "a/../b", false), ("link", "a/../..", true),
    ("link", "missing/../x", false), ("a/link", "..", false), ("a/link", "../..", true), ("a/b/link", "../../x", false),
    ("a/b/link", "../../../x", true), ("link", "up/../x", true), ("link", "a/up/..", true), ("link", "a/./../x", false),
    ("link", "up", false), ("link", "a//b", false),
  ])
  func aLinkLeadsOutOrNot(path: String, target: String, leadsOut: Bool) throws {
    let scratch = try Scratch()
    try scratch.shell("mkdir -p a/b && ln -s . up && ln -s b a/up")
    let escape = SymlinkEscape(tree: scratch.descriptor.rawValue, path: RelativePath(path))
    #expect(escape.leadsOut(Array(target.utf8)) == leadsOut)
  }
}
