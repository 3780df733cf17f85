import ArgumentParser
import Settings
import SystemPackage
import Worker

/// The options for the caches of jobs.
struct CacheOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where caches of jobs are kept. (JOB_CACHE_DIR; default: .worker/cache in the workspaces folder)",
      valueName: "folder"), completion: .directory)
  var cacheDir: String?

  @Option(
    help: ArgumentHelp(
      "The most bytes of all caches; the least recently used go first, 0 for none. (JOB_CACHE_SIZE; default: 10GiB)",
      valueName: "bytes"))
  var cacheSize: ByteCount?

  /// The folder and its limit, as the options, the environment or the default have them.
  func directory(_ environment: Environment, workspaces: FilePath) throws -> CacheDirectory {
    let path = (cacheDir ?? environment["JOB_CACHE_DIR"]).map { absolute(FilePath($0)) }
    let size = try cacheSize ?? environment.value("JOB_CACHE_SIZE") ?? ByteCount(bytes: 10 << 30)
    return CacheDirectory(path ?? workspaces.appending(".worker").appending("cache"), limit: size.bytes)
  }
}

/// A number of bytes as an option: `1048576`, `512M`, `10GiB`. Units are powers of 1024.
struct ByteCount: ExpressibleByArgument {
  let bytes: Int64

  init(bytes: Int64) {
    self.bytes = bytes
  }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    var unit = argument.dropFirst(digits.count).uppercased()
    if unit.hasSuffix("IB") { unit.removeLast(2) } else if unit.hasSuffix("B") { unit.removeLast() }
    guard let number = Int64(digits), let power = ["", "K", "M", "G", "T", "P"].firstIndex(of: unit) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (10 * Int64(power)))
    guard !overflow else { return nil }
    self.bytes = bytes
  }
}
