import ArgumentParser
import Jobs
import SystemPackage
import Volume

extension CompletionKind {
  /// The ids of jobs on the volume that the command line or the environment names.
  static var jobs: CompletionKind {
    .custom { words, _, prefix in
      let folder = value(of: ["-j", "--jobs-dir"], in: words) ?? Environment.current["MQTT_JOBS_DIR"] ?? "./jobs"
      let jobs = (try? JobRecords(JobsDirectory(FilePath(folder))).jobs()) ?? []
      return jobs.map(\.text).filter { $0.hasPrefix(prefix) }
    }
  }

  /// The shell passes words as typed, with quotes: a quoted folder name is not recognized.
  private static func value(of names: [String], in words: [String]) -> String? {
    for (word, next) in zip(words, words.dropFirst()) where names.contains(word) { return next }
    return words.compactMap { $0.hasPrefix("--jobs-dir=") ? String($0.dropFirst("--jobs-dir=".count)) : nil }.first
  }
}
