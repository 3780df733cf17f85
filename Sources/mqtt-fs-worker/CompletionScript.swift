/// The parser's script that completes the program's command line in a shell.
enum CompletionScript {
  /// The script with the change that bash needs; every other text as it is.
  ///
  /// The parser's script declares all words to be names of files. Beside a folder `jobs` bash then completes the command
  /// `jobs` to `jobs/`. Here only names of files are (compopt in bash(1)).
  static func mended(_ text: String) -> String {
    guard text.hasPrefix("#!/bin/bash\n") else { return text }
    let function = "__mqtt-fs-worker_add_completions() {\n"
    let files = """
          # Without a completion in progress, as in a test, compopt fails.
          [[ "${1}" != -[df] ]] || compopt -o filenames 2>/dev/null

      """
    return
      text
      .replacing("\ncomplete -o filenames -F ", with: "\ncomplete -F ")
      .replacing(function, with: function + files)
  }
}
