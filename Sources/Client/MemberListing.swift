private import Glibc
import Jobs
import SystemPackage
package import Volume

/// The workers that have a session at a broker, as far as the volume shows them.
package struct MemberListing: Sendable {
  /// A worker's file on the volume.
  package struct Entry: Sendable {
    /// Its content.
    package let member: Member
    /// When the worker touched it last, by the volume's clock, in milliseconds since 1970.
    package let touched: Int64
  }

  private let directory: JobsDirectory
  /// More files are not read.
  private static let most = 2000

  /// The workers on `directory`.
  package init(_ directory: JobsDirectory) {
    self.directory = directory
  }

  /// The workers that have not left, by their ids; only their first sessions. Do not trust the content: anybody may have
  /// written it.
  package func entries() throws(VolumeError) -> [Entry] {
    try DurableFile.names(in: directory.members).filter { $0.hasSuffix(".json") && !$0.contains("~") }.sorted()
      .prefix(MemberListing.most).compactMap(entry)
  }

  private func entry(_ name: String) -> Entry? {
    let path = directory.members.appending(name)
    guard let status = try? path.status(), status.st_mode & S_IFMT == S_IFREG,
      let bytes = try? DurableFile.read(path, limit: 1 << 16), let member = decodedJSON(Member.self, bytes),
      member.state != .left, "\(member.worker).json" == name
    else { return nil }
    let time = status.st_mtim
    return Entry(member: member, touched: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
