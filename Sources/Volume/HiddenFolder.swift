package import FileTree
private import Glibc
package import Jobs
package import SystemPackage

/// A folder of a job under a hidden name in the jobs folder, which is no job id, while it is removed or replaced.
///
/// The name holds the job and the process, so that the next removal can go on after a killed one.
package struct HiddenFolder: Sendable {
  /// What the name says about the folder.
  package enum Fate: String, CaseIterable, Sendable {
    /// It may still be a worker's: it gets its name back.
    case inDoubt = "prune"
    /// No worker has it: it is removed.
    case doomed = "pruned"
    /// It is one of the two folders of a replacement; the other has the job's name. Its results move there if that one has
    /// none, then it is removed.
    case replaced
    /// The same, on a file system that cannot exchange two names: the job may have no other, and then it gets its name
    /// back.
    case displaced
  }

  /// The job.
  package let id: JobID
  package let fate: Fate
  /// The name in the jobs folder.
  package let name: String
  let directory: JobsDirectory
  private let maker: Maker

  /// The process that hid a folder: its pid, and a digest of what tells it from all others that have this pid.
  private struct Maker: Equatable {
    let pid: pid_t
    let mark: String

    static let current = Maker(ProcessIdentity.current)

    init(pid: pid_t, mark: String) {
      (self.pid, self.mark) = (pid, mark)
    }

    init(_ process: ProcessIdentity) {
      let facts = [process.host, process.bootId, process.pidNamespace, process.startTime]
      let digest = digestText(of: Array(facts.joined(separator: "\0").utf8))
      self.init(pid: process.pid, mark: String(digest.dropFirst("sha256:".utf8.count).prefix(16)))
    }

    /// Whether it certainly lives: it is the process of this namespace that has its pid now.
    var lives: Bool { ProcessIdentity.running(pid).map(Maker.init) == self }
  }

  /// A new name for the folder of `id`, in doubt.
  init(of id: JobID, in directory: JobsDirectory) {
    self.init(id, .inDoubt, DurableFile.nonce, Maker.current, directory)
  }

  /// A new name for a folder of the two of a replacement.
  init(replacing id: JobID, _ fate: Fate, in directory: JobsDirectory) {
    self.init(id, fate, DurableFile.nonce, Maker.current, directory)
  }

  private init(_ id: JobID, _ fate: Fate, _ nonce: String, _ maker: Maker, _ directory: JobsDirectory) {
    (self.id, self.fate, self.maker, self.directory) = (id, fate, maker, directory)
    name = ".\(fate.rawValue)~\(id)~\(maker.pid)~\(maker.mark)~\(nonce)"
  }

  /// `nil` for other names.
  init?(_ name: String, in directory: JobsDirectory) {
    let parts = name.split(separator: "~", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 5, let fate = Fate.allCases.first(where: { ".\($0.rawValue)" == parts[0] }),
      let id = try? JobID(parts[1]), let pid = pid_t(parts[2])
    else { return nil }
    (self.id, self.fate, self.name, self.directory) = (id, fate, name, directory)
    maker = Maker(pid: pid, mark: parts[3])
  }

  private var place: VolumePath { directory.top.appending(name) }

  /// The path, for messages.
  package var path: FilePath { place.path }

  /// The folders that processes left which were killed, or live on other hosts.
  package static func left(in directory: JobsDirectory) throws(VolumeError) -> [HiddenFolder] {
    try DurableFile.hiddenNames(in: directory.top).compactMap { HiddenFolder($0, in: directory) }.filter {
      !$0.maker.lives && (try? $0.place.status()).map(DurableFile.isFolder) == true
    }
  }

  /// Gives a folder in doubt its job's name back. Throws `EEXIST` if the name is taken: it never replaces anything.
  package func putBack() throws(VolumeError) {
    do throws(Errno) {
      try place.inFolder { (top, name) throws(Errno) in
        try renameFolder(name, toFree: id.text, in: top)
      }
    } catch {
      // Another process has put it back already.
      if error.saysGone { return }
      if error == .fileExists {
        throw VolumeError(
          "giving the job's name, which another folder has now (rename or remove one of the two), back to", path, error)
      }
      throw VolumeError("giving the job's name back to", path, error)
    }
  }

  /// The folder under its last name; durable, so that no power failure brings back a half of it. `nil` if another
  /// process has put it back.
  func doomed() throws(VolumeError) -> HiddenFolder? {
    let last = HiddenFolder(id, .doomed, DurableFile.nonce, Maker.current, directory)
    guard try DurableFile.move(place, to: last.place) else { return nil }
    TestStopPoint.folderDoomed.reached()
    return last
  }

  /// What it holds.
  package var size: TreeSize {
    guard let folder = try? place.open(O_RDONLY | O_DIRECTORY) else { return TreeSize() }
    defer { try? folder.close() }
    return FileTree.size(of: folder)
  }

  /// Removes a doomed folder, on this mount and without following links. Throws `FileTreeError` if some of it stays: the
  /// next call tries again.
  package func remove() throws {
    let top = try directory.openTop()
    defer { try? top.close() }
    try FileTree.remove(name, in: top)
  }
}

extension JobsDirectory {
  /// Opens the jobs folder.
  func openTop() throws(VolumeError) -> FileDescriptor {
    try onVolume("opening", path) { () throws(Errno) in try top.open(O_RDONLY | O_DIRECTORY) }
  }
}
