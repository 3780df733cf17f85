import Foundation
import Testing

/// The links of the pages for readers.
@Suite struct LinkTests {
  private static let pages: [String] = {
    let fixed = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "Benchmarks/README.md"]
    let folders = ["docs"] + names(in: "examples").map { "examples/\($0)" }
    let found = folders.flatMap { folder in names(in: folder).map { "\(folder)/\($0)" } }
    return fixed + found.filter { $0.hasSuffix(".md") }
  }()

  private static func names(in folder: String) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: Checkout.root.appending(path: folder).path())
    return (names ?? []).sorted()
  }

  @Test func pagesOfDocsAreChecked() {
    let some: Set = ["README.md", "docs/README.md", "docs/jobs.md", "examples/kubernetes/README.md"]
    #expect(some.isSubset(of: Self.pages))
  }

  @Test(arguments: pages) func linksLeadSomewhere(_ page: String) throws {
    let folder = Checkout.root.appending(path: page).deletingLastPathComponent()
    var anchors: [URL: [String]] = [:]
    for link in try Page(Checkout.text(page)).links where !link.contains("://") && !link.hasPrefix("mailto:") {
      let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let target = parts[0].isEmpty ? Checkout.root.appending(path: page) : folder.appending(path: parts[0])
      guard FileManager.default.fileExists(atPath: target.path()) else {
        Issue.record("\(page): \(link) does not exist")
        continue
      }
      guard parts.count > 1 else { continue }
      let known = try anchors[target] ?? Page(String(contentsOf: target, encoding: .utf8)).anchors
      anchors[target] = known
      #expect(known.contains(parts[1]), "\(page): \(link) is no heading there")
    }
  }

  @Test func headingsBecomeAnchorsAsOnGitHub() {
    let page = Page(
      """
      # A title: `<jobs-dir>/job.json`, and more
      ## Two
      ## Two
      ```sh
      # no heading
      echo '[no](link)'
      ```
      [one](a.md#b), [`two`](#two) and `[no](link)`
      """)
    #expect(page.anchors == ["a-title-jobs-dirjobjson-and-more", "two", "two-1"])
    #expect(page.links == ["a.md#b", "#two"])
  }

  @Test func everyPageOfDocsIsInTheIndex() throws {
    let links = Set(try Page(Checkout.text("docs/README.md")).links)
    for page in Self.names(in: "docs") where page.hasSuffix(".md") && page != "README.md" {
      #expect(links.contains(page), "docs/README.md has no link to \(page)")
    }
  }
}

/// The links and anchors of a page in Markdown, without those in code.
private struct Page {
  private(set) var links: [String] = []
  private(set) var anchors: [String] = []

  init(_ text: String) {
    var isCode = false
    var seen: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      if line.drop(while: { $0 == " " }).hasPrefix("```") {
        isCode.toggle()
      } else if !isCode {
        if line.contains("](") {
          links += line.replacing(/`[^`]*`/, with: "").matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }
        }
        guard line.hasPrefix("#") else { continue }
        let anchor = Page.anchor(line.drop { $0 == "#" }.dropFirst())
        anchors.append(seen[anchor].map { "\(anchor)-\($0)" } ?? anchor)
        seen[anchor, default: 0] += 1
      }
    }
  }

  /// Letters, digits, hyphens and underscores in lower case; blanks become hyphens.
  private static func anchor(_ title: Substring) -> String {
    title.lowercased().filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) }.replacing(" ", with: "-")
  }
}
