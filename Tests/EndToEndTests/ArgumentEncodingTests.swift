import SystemPackage
import TestSupport
import Testing

/// Arguments that are not UTF-8, which Swift would turn into others.
@Suite struct ArgumentEncodingTests {
  @Test(arguments: [
    ["run", #"j\377"#], ["submit", #"j\377"#], ["jobs", "-j", #"j\377"#], ["run", "--env", #"KEY=j\377"#, "job"],
    ["-p", #"j\377"#],
  ])
  func areRefused(_ arguments: [String]) async throws {
    try await Scene.play(.down) { scene in
      try scene.write(#"{"steps": ["true"]}"#, scene.root.pushing(FilePath("j\u{FFFD}/job.json")))
      let words = arguments.map { #""$(printf -- '\#($0)')""# }.joined(separator: " ")
      let process = try scene.start(
        "/bin/sh", ["-c", "exec '\(WorkerProcess.executable)' \(words)"], name: "encoding")
      #expect(try await process.end() == .code(64))
      #expect(process.errors.contains("', is not UTF-8: give it another name"), "\(process.errors)")
    }
  }
}
