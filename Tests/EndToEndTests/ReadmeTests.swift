import Foundation
import SystemPackage
import TestSupport
import Testing

/// The commands that README.md and the pages in docs/ show.
@Suite struct ReadmeTests {
  /// The pages that show commands, by their paths in the checkout.
  private static let pages: [String] = {
    let docs = Checkout.root.appending("docs").string
    let names = (try? FileManager.default.contentsOfDirectory(atPath: docs)) ?? []
    let pages = ["README.md"] + names.sorted().filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
    return pages.filter { page in
      let text = FileManager.default.contents(atPath: Checkout.root.pushing(FilePath(page)).string) ?? Data()
      return String(decoding: text, as: UTF8.self).contains("```sh\n")
    }
  }()

  @Test func pagesWithCommandsAreFound() {
    #expect(Set(["README.md", "docs/bus.md", "docs/operations.md"]).isSubset(of: Self.pages))
  }

  @Test(
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"),
    .enabled(if: Checkout.hasProgram("unshare") && Checkout.hasProgram("ip"), "needs unshare, and ip of iproute2"),
    arguments: pages)
  func commandsOfThePageDoWhatThePageSays(_ page: String) async throws {
    try await Scene.play(.down) { scene in
      let run = try scene.start(
        installed("python3"),
        [
          Checkout.root.pushing(FilePath("Tests/readme.py")).string, try WorkerProcess.executable.string,
          Checkout.root.pushing(FilePath(page)).string,
        ],
        name: "readme")
      let end = try await run.end(within: .seconds(600))
      // 77 means that there are no network namespaces here, as its output says.
      #expect(end == .code(0) || end == .code(77), "\(run.output)\n\(run.errors)")
    }
  }
}
