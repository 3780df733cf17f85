import Foundation
import Testing

/// The sources in the checkout that these tests were built from.
enum Checkout {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let sources = root.appending(path: "Sources")

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The Swift files of a target, with their lines.
  static func files(of room: String) throws -> [(name: String, lines: [Substring])] {
    let folder = sources.appending(path: room)
    let paths = try #require(FileManager.default.enumerator(atPath: folder.path())).compactMap { $0 as? String }
    return try paths.filter { $0.hasSuffix(".swift") }.map { path in
      let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
      return ("\(room)/\(path)", text.split(separator: "\n", omittingEmptySubsequences: false))
    }
  }
}

@Suite struct DirectionsTests {
  /// The targets of this package that each target may import; CONTRIBUTING.md has the same table.
  private static let directions: [String: Set<String>] = [
    "CLinux": [], "CMosquitto": [],
    "FileTree": ["CLinux"],
    "MQTT": ["CMosquitto"],
    "Jobs": ["FileTree"],
    "Signing": ["Jobs"],
    "Volume": ["CLinux", "FileTree", "Jobs"],
    "Steps": ["CLinux", "Jobs"],
    "Worker": ["CLinux", "FileTree", "Jobs", "Signing", "Volume", "Steps"],
    "Signaling": ["CLinux", "Jobs", "Signing", "Volume", "Worker", "Steps", "MQTT"],
    "Client": ["CLinux", "FileTree", "Jobs", "Signing", "Volume", "MQTT"],
    "Settings": ["Client", "MQTT", "Steps", "Volume", "Jobs"],
    "mqtt-fs-worker": [
      "CLinux", "FileTree", "Jobs", "Signing", "Volume", "Steps", "Worker", "Signaling", "Client", "MQTT", "Settings",
    ],
    "mqtt-fs-board": ["CLinux", "Client", "Jobs", "MQTT", "Settings", "Volume"],
  ]

  @Test func sourcesHoldTheRoomsAndNothingElse() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Checkout.sources.path())
    #expect(Set(folders) == Set(Self.directions.keys))
  }

  @Test(arguments: directions.keys.sorted()) func noRoomImportsUpward(_ room: String) throws {
    let allowed = try #require(Self.directions[room])
    for file in try Checkout.files(of: room) {
      let imports = file.lines.filter { !$0.hasPrefix("//") }.compactMap { line -> String? in
        let words = line.split(separator: " ")
        guard let word = words.firstIndex(of: "import"), word <= 1, word + 1 < words.count else { return nil }
        return String(words[word + 1])
      }
      let ours = Set(imports).intersection(Self.directions.keys)
      #expect(ours.isSubset(of: allowed), "\(file.name) imports \(ours.subtracting(allowed).sorted())")
    }
  }

  /// SwiftPM lets a target import any dependency of another target, so the manifest is checked, too.
  @Test(arguments: directions.keys.filter { !$0.hasPrefix("C") || $0 == "Client" }.sorted())
  func packageSaysTheSame(_ room: String) throws {
    let manifest = try Checkout.text("Package.swift")
    let start = try #require(
      manifest.range(of: #"arget\(\s*name: "\#(room)", *\n? *dependencies: \["#, options: .regularExpression))
    let list = manifest[start.upperBound...].prefix { $0 != "]" }
    let ours = Set(list.split(separator: "\"").map(String.init)).intersection(Self.directions.keys)
    #expect(ours.isSubset(of: try #require(Self.directions[room])))
  }

  @Test func onlyProductsArePublic() throws {
    for room in Self.directions.keys where !["FileTree", "MQTT"].contains(room) {
      for file in try Checkout.files(of: room) {
        let lines = file.lines.filter { $0.split(separator: " ").prefix(2).contains("public") && !$0.contains("//") }
        #expect(lines.isEmpty, "\(file.name)")
      }
    }
  }

  /// Other packages could not depend on a package with unsafe flags.
  @Test func packageHasNoUnsafeFlags() throws {
    #expect(try !Checkout.text("Package.swift").contains("unsafeFlags"))
  }

  @Test func noFileIsLong() throws {
    for room in Self.directions.keys {
      for file in try Checkout.files(of: room) { #expect(file.lines.count <= 301, "\(file.name)") }
    }
  }
}
