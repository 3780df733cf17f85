private import Glibc
package import Jobs
import SystemPackage

/// The results that the broker refused while the connection works: a result that an ACL, a limit or a quota forbids
/// must not keep its job claimed, or its worker from the next job.
///
/// One file for each job. A worker that retries renames the file to a name of its own, which only one worker can do,
/// and touches it meanwhile like a claim. After a worker's death the next one takes the file over in the same way.
package struct UndeliveredResults: Sendable {
  package let folder: VolumePath
  package let lease: Lease

  /// Stores a result durably after its first try. A stored result of the same job stays, and this one is dropped, unless
  /// a worker tries that one at this moment: it may be older.
  package func put(_ result: UndeliveredResult, of id: JobID) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    guard try names(of: id).allSatisfy(\.isHeld) else { return }
    let path = folder.appending(UndeliveredName(id, tries: 1, at: try lease.clock.now()).text)
    try DurableFile.replace(path, DurableFile.line(result, for: path))
  }

  /// The stored results by the time of the next try. Entries that no worker made are set aside.
  package func names(of id: JobID? = nil) throws(VolumeError) -> [UndeliveredName] {
    var names: [UndeliveredName] = []
    for name in try DurableFile.names(in: folder).compactMap(UndeliveredName.init) where id == nil || name.id == id {
      if try DurableFile.isWorkers(folder.appending(name.text)) { names.append(name) }
    }
    return names.sorted { ($0.next, $0.text) < ($1.next, $1.text) }
  }

  /// The results that are due now.
  package func due() throws(VolumeError) -> [UndeliveredName] {
    let names = try names()
    guard !names.isEmpty else { return [] }
    let moment = try lease.clock.now()
    var due: [UndeliveredName] = []
    for name in names {
      if try name.isHeld ? lease.hasExpired(folder.appending(name.text), at: moment) : name.isDue(at: moment) {
        due.append(name)
      }
    }
    return due
  }

  /// The exclusive right to try a result; `nil` if another worker has it, or if it is gone. A file that is no result of
  /// the job in its name is hidden and reported to `odd`.
  package func take(_ name: UndeliveredName, odd: (String) -> Void) throws(VolumeError) -> (
    HeldResult, UndeliveredResult
  )? {
    var path = folder.appending(name.text)
    do {
      guard let held = try hold(name) else { return nil }
      path = held.path
      if let bytes = try DurableFile.read(held.path), let result = UndeliveredResult(json: bytes, of: name.id) {
        return (held, result)
      }
      try held.setAside()
    } catch  where [.isDirectory, .tooManySymbolicLinkLevels, .invalidArgument, .fileTooLarge].contains(error.cause) {
      _ = try DurableFile.move(path, to: UndeliveredResults.hidden(path))
    }
    odd("'\(folder.appending(name.text))' holds no result of \(name.id); it was set aside")
    return nil
  }

  /// The hidden name of an odd file.
  static func hidden(_ path: VolumePath) -> VolumePath {
    path.folder.appending(".odd-\(path.name)")
  }

  private func hold(_ name: UndeliveredName) throws(VolumeError) -> HeldResult? {
    let path = folder.appending(name.text)
    let own = folder.appending(name.held(by: DurableFile.nonce))
    let file: FileDescriptor
    do throws(Errno) {
      file = try path.openFile(O_RDWR)
    } catch {
      guard error.saysGone else { throw VolumeError("opening", path, error) }
      return nil
    }
    do {
      // Touch it before the rename: after it others check its age.
      try onVolume("touching", path) { () throws(Errno) in try touch(file) }
      // An NFS server may answer ENOENT when it gets the rename again after carrying it out.
      guard try DurableFile.move(path, to: own) || DurableFile.exists(own) else {
        try? file.close()
        return nil
      }
      return HeldResult(name, self, own, file)
    } catch {
      try? file.close()
      throw error
    }
  }

  /// Removes the results of `id`: a newer result is about to be published, and no older one may follow it. Waits at
  /// most `patience` for a result that a worker tries at this moment. Returns the number of removed results.
  package func withdraw(_ id: JobID, patience: Duration = .seconds(5)) async throws -> Int {
    let deadline = ContinuousClock.now + patience
    var count = 0
    while true {
      let names = try names(of: id)
      for name in names where try !name.isHeld || lease.hasExpired(folder.appending(name.text)) {
        guard let held = try hold(name) else { continue }
        try held.remove()
        count += 1
      }
      guard names.contains(where: \.isHeld), ContinuousClock.now < deadline else { return count }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
