import ArgumentParser
import Jobs
import Settings

/// The help of the program as a whole: its commands in groups, and advice on a first word that is none of them.
enum GeneralHelp {
  private static let groups: [(title: String, commands: [(name: String, about: String)])] = [
    (
      "Jobs",
      [
        ("submit", "copies a job folder to the volume, sends it, and shows its output"),
        ("retry", "runs a finished job again"),
        ("run", "runs a job folder on this machine, without a broker"),
        ("check", "finds errors in a job folder before it is sent"),
        ("jobs", "lists the jobs on the volume"),
        ("status", "shows a job: its worker, or its result step by step"),
        ("logs", "prints the output of a job's steps"),
        ("cancel", "asks the worker of a job to end it"),
        ("approve", "approves or rejects a request that waits for approval"),
        ("sign", "makes a signed request"),
      ]
    ),
    (
      "Workers",
      [
        ("work", "takes one job and exits; so does the program without a command"),
        ("workers", "lists the workers that are there, and those that were lost"),
        ("drain", "tells workers to leave after their jobs"),
        ("health", "checks the worker on this host"),
      ]
    ),
    (
      "Care",
      [
        ("doctor", "tests whether a broker and a volume are fit for workers"),
        ("prune", "removes finished jobs from the volume"),
        ("cache", "lists or removes what this host keeps between jobs"),
      ]
    ),
  ]

  /// What people try who know other programs.
  private static let synonyms = [
    "list": "jobs", "ls": "jobs", "log": "logs", "exec": "run", "try": "run", "send": "submit", "start": "submit",
    "ps": "workers",
    "kill": "cancel", "again": "retry", "rerun": "retry", "stop": "cancel", "show": "status", "version": "--version",
    "clean": "prune",
  ]

  /// The names of all commands.
  static var commands: [String] { groups.flatMap { $0.commands.map(\.name) } }

  static var text: String {
    let lines = groups.map { group in
      "\(group.title.uppercased()):\n"
        + group.commands.map { "  \($0.name.padded(to: 10))\($0.about)\n" }.joined()
    }
    return """
      mqtt-fs-worker takes a job id from MQTT, runs the steps of the job's folder on a
      shared volume, and publishes the result. Without a command it is a worker.

      \(lines.joined(separator: "\n"))
      'mqtt-fs-worker <command> --help' shows a command's options, and 'work --help' those
      of the worker. --version shows the version.

      """
  }

  /// The sentence for a first argument that is no command, or an option that resembles one of help; `nil` for others.
  static func advice(on arguments: [String]) -> String? {
    guard let word = arguments.first, SecretArguments.masked(arguments) == arguments else { return nil }
    if word.hasPrefix("-") {
      let general = ["--help", "--version"]
      guard !general.contains(word), let near = Spelling.nearest(to: word, among: general) else { return nil }
      return "there is no option '\(word)'; did you mean '\(near)'?"
    }
    // Anything else than a word, such as a URL, may hold a secret.
    guard !commands.contains(word), word != "help", word.allSatisfy({ $0.isASCII && ($0.isLetter || $0 == "-") }) else {
      return nil
    }
    let near = synonyms[word] ?? Spelling.nearest(to: word, among: commands)
    let question = near.map { "; did you mean '\($0)'?" } ?? "."
    return "there is no command '\(word)'\(question) The commands: \(commands.sorted().joined(separator: ", "))"
  }
}
