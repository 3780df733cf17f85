import Foundation
import SystemPackage
import TestSupport
import Testing

/// The completions and manual pages in docs/.
@Suite struct DocumentationTests {
  private static let completions = Checkout.root.pushing(FilePath("docs/completions"))
  private static let pages = Checkout.root.pushing(FilePath("docs/man"))

  @Test(.enabled(if: Checkout.hasProgram("python3"), "needs python3"))
  func theyAreWhatThisBuildMakes() async throws {
    try await Scene.play(.down) { scene in
      let run = try scene.start(
        Checkout.root.pushing(FilePath(".ci/generate-docs")), ["--check", try WorkerProcess.executable.string],
        name: "docs")
      #expect(try await run.end() == .code(0), "\(run.errors)")
    }
  }

  @Test(arguments: [
    ("", "submit"), ("su", "submit"), ("submit --", "--detach"), ("submit --sign-", "--sign-key"),
    ("submit --sign-key ", "key.pem"), ("submit fol", "folder"), ("work --log-level w", "warning"),
    ("doctor b", "broker"), ("status jo", "job_1"), ("logs --jobs-dir other ", "job_2"), ("jobs --state f", "finished"),
  ])
  func bashCompletes(_ typed: String, _ word: String) async throws {
    try await Scene.play(.down) { scene in
      let words = try await completed(typed, in: scene)
      #expect(words.contains(word), "\(words)")
    }
  }

  @Test func bashOffersNothingThatDoesNotBelong() async throws {
    try await Scene.play(.down) { scene in
      #expect(try await completed("status ", in: scene) == ["job_1"])
      #expect(try await completed("submit --id ", in: scene) == [])
      let rest = try await completed("submit --json --", in: scene)
      #expect(rest.contains("--detach") && !rest.contains("--json"))
      let options = try await completed("jobs --", in: scene)
      #expect(options.contains("--last") && !options.contains("--url"))
    }
  }

  /// The keys that a person types, and whether the command line that comes of them is taken. `jobs` is the name of a
  /// command and of a folder beside it.
  @Test(
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"),
    arguments: [("jo\\t--last 1", "pending"), ("check my\\tinner", "nothing wrong"), ("status jo\\t", "pending")])
  func bashOnATerminalCompletes(_ keys: String, _ answer: String) async throws {
    try await Scene.play(.down) { scene in
      let place = try place(in: scene)
      try scene.write(#"{"steps": ["true"]}"#, place.pushing(FilePath("my folder/inner/job.json")))
      let start = scene.files.appending("start")
      let program = try WorkerProcess.executable
      // The script of the executable itself, as a profile would read it.
      try scene.write(
        """
        PS1='READY '
        PATH=\(program.removingLastComponent()):$PATH
        source <(mqtt-fs-worker --generate-completion-script bash)
        """, start)
      let bash = try scene.start(
        installed("python3"),
        [
          Checkout.root.pushing(FilePath("Tests/terminal.py")).string,
          "see READY\ntype mqtt-fs-worker \(keys)\\nexit\\n", installed("bash").string, "--noprofile", "--rcfile",
          start.string, "-i",
        ], in: place, name: "bash")
      #expect(try await bash.end() == .code(0), "\(bash.output)")
      #expect(bash.output.contains(answer), "\(bash.output)")
    }
  }

  @Test(.enabled(if: Checkout.hasProgram("zsh"), "needs zsh"))
  func zshTakesItsCompletions() async throws {
    try await check("zsh", "-n", Self.completions.appending("_mqtt-fs-worker").string)
  }

  @Test(.enabled(if: Checkout.hasProgram("fish"), "needs fish"))
  func fishCompletes() async throws {
    try await Scene.play(.down) { scene in
      let script = Self.completions.appending("mqtt-fs-worker.fish").string
      let run = try scene.start(
        installed("fish"), ["-c", "source \(script); complete -C 'mqtt-fs-worker submit --sign'"], name: "fish")
      #expect(try await run.end() == .code(0), "\(run.errors)")
      #expect(run.output.hasPrefix("--sign-key\t"))
    }
  }

  @Test(.enabled(if: Checkout.hasProgram("mandoc"), "needs mandoc"))
  func pagesOfTheManualAreWellFormed() async throws {
    let pages = try FileManager.default.contentsOfDirectory(atPath: Self.pages.string)
    #expect(pages.count > 10)
    try await Scene.play(.down) { scene in
      for page in pages where page != "mqtt-fs-worker-work.1" {
        let lint = try scene.start(
          installed("mandoc"), ["-T", "lint", "-W", "style", Self.pages.appending(page).string], name: "lint")
        _ = try await lint.end()
        // The pages have no date, because each build makes them anew.
        let found = lint.output.split(separator: "\n").filter { !$0.contains("missing date") }
        #expect(found.isEmpty, "\(found)")
      }
    }
  }

  @Test func pagesHaveExamplesAndAShortPhraseForTheirName() throws {
    for page in try FileManager.default.contentsOfDirectory(atPath: Self.pages.string)
    where page != "mqtt-fs-worker-work.1" {
      let text = try String(contentsOfFile: Self.pages.appending(page).string, encoding: .utf8)
      let name = try #require(text.components(separatedBy: ".SH NAME\n").last?.components(separatedBy: "\n.SH").first)
      #expect(name.count < 110 && !name.contains("."), "\(name)")
      let examples = try #require(text.components(separatedBy: ".SH EXAMPLES\n").last)
      #expect(examples.contains("mqtt\\-fs\\-worker"), "\(page) has no examples")
    }
  }

  /// A folder with a few entries.
  private func place(in scene: Scene) throws -> FilePath {
    let place = scene.files.appending("place")
    for folder in ["folder", "jobs/job_1", "other/job_2"] {
      try FileManager.default.createDirectory(
        atPath: place.pushing(FilePath(folder)).string, withIntermediateDirectories: true)
    }
    try scene.write("", place.appending("key.pem"))
    return place
  }

  /// The completions of bash for `typed` after the program's name.
  private func completed(_ typed: String, in scene: Scene) async throws -> [String] {
    let place = try place(in: scene)
    let program = """
      source "$1"
      COMP_LINE="mqtt-fs-worker $2"
      COMP_POINT=${#COMP_LINE}
      read -r -a COMP_WORDS <<<"$COMP_LINE"
      [[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
      COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
      PATH=$(dirname "$3"):$PATH
      _mqtt-fs-worker mqtt-fs-worker "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let script = Self.completions.appending("mqtt-fs-worker.bash").string
    let run = try scene.start(
      installed("bash"), ["-c", program, "bash", script, typed, try WorkerProcess.executable.string], in: place,
      name: "bash")
    #expect(try await run.end() == .code(0), "\(run.errors)")
    #expect(run.errors == "")
    return run.output.split(whereSeparator: \.isNewline).map(String.init)
  }

  private func check(_ program: String, _ arguments: String...) async throws {
    try await Scene.play(.down) { scene in
      let run = try scene.start(installed(program), arguments, name: program)
      #expect(try await run.end() == .code(0), "\(run.output)\(run.errors)")
    }
  }
}
