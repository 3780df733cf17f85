import ArgumentParser
import FileTree
import FoundationEssentials
import Jobs
import Settings
import SystemPackage
import Worker

/// `mqtt-fs-worker cache`: the caches that this host keeps between jobs.
struct Cache: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists or removes the caches that this host keeps between jobs.",
    subcommands: [List.self, Remove.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the caches, the least recently used first.")

    @Flag(help: "Print a JSON array.")
    var json = false

    @OptionGroup var caches: CacheOptions
    @OptionGroup var workspaces: WorkspacesOptions

    func run() throws {
      let entries = try Cache.directory(caches, workspaces).entries()
      if json { return try Output.write(json: jsonText(entries.map(CacheLine.init))) }
      guard !entries.isEmpty else { return }
      let rows = entries.map { entry in
        [
          entry.record.key, bytesText(entry.record.bytes), "\(entry.record.files)", entry.record.saved,
          CacheLine(entry).used, entry.record.filter ?? "", entry.record.signedBy ?? "",
          entry.record.paths.joined(separator: " "),
        ].map(\.escaped)
      }
      try Output.write(
        TextTable([["KEY", "SIZE", "FILES", "SAVED", "USED", "TOPIC", "SIGNED BY", "PATHS"]] + rows).text)
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Removes caches by their keys, and says what that freed. One that a job uses stays.",
      discussion: "Exit status: 64 if no cache has the key; 74 if one is in use or cannot be removed.")

    @Argument(help: ArgumentHelp("The keys.", valueName: "key"))
    var keys: [String] = []

    @Flag(help: "Remove all caches.")
    var all = false

    @OptionGroup var caches: CacheOptions
    @OptionGroup var workspaces: WorkspacesOptions

    func validate() throws {
      guard all == keys.isEmpty else {
        throw ValidationError("name the keys of the caches to remove, or give --all alone")
      }
    }

    func run() throws {
      let console = Console("cache")
      let directory = try Cache.directory(caches, workspaces)
      let entries = try directory.entries().filter { all || keys.contains($0.record.key) }
      for key in keys where !entries.contains(where: { $0.record.key == key }) {
        console.say("no cache has the key \(key.quoted); 'mqtt-fs-worker cache list' shows those that exist")
        throw ExitStatus.usage
      }
      var (removed, isComplete) = (TreeSize(), true)
      for entry in entries {
        do {
          guard try directory.remove(entry) else {
            console.say("the cache '\(entry.record.key)' is in use, and stays")
            isComplete = false
            continue
          }
          removed += TreeSize(files: 1, bytes: entry.record.bytes)
        } catch {
          console.say("the cache '\(entry.record.key)' cannot be removed: \(error)")
          isComplete = false
        }
      }
      try Output.write("removed \(counted(removed.files, "cache")), \(bytesText(removed.bytes))\n")
      if !isComplete { throw ExitStatus.volume }
    }
  }

  private static func directory(_ caches: CacheOptions, _ workspaces: WorkspacesOptions) throws -> CacheDirectory {
    let environment = Environment.current
    return try caches.directory(environment, workspaces: absolute(workspaces.folder(environment)))
  }
}

/// A cache in the JSON of `cache list`.
private struct CacheLine: Encodable {
  let key: String
  let bytes: Int64
  let files: Int
  let paths: [String]
  let saved: String
  let used: String
  let topic: String?
  let signedBy: String?

  init(_ entry: CacheDirectory.Listed) {
    let record = entry.record
    (key, bytes, files, paths, saved) = (record.key, record.bytes, record.files, record.paths, record.saved)
    (topic, signedBy) = (record.filter, record.signedBy)
    used = Timestamp(millisecondsSince1970: entry.lastUse / 1_000_000).description
  }
}
