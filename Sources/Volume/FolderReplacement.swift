private import CLinux
private import FileTree
private import Glibc
import Jobs
import SystemPackage

/// The replacement of a job's folder by a new copy, which gets the results of the old one.
///
/// Wherever it is killed, the job has one of the two folders, and ``HiddenFolder/finishReplacement(at:)`` brings what is
/// left in order. Only on a file system that cannot exchange two names (NFS) the job has none for a moment.
extension JobRemoval {
  /// Gives the job's name to the folder `copy` of the jobs folder, and the results of the folder that has the name; removes
  /// that one. `false` if the job has no folder, and then the copy is removed, or if this process lost the right while it
  /// worked: then the job has the new folder, perhaps with a worker in it, and the old one stays hidden for
  /// ``HiddenFolder/finishReplacement(at:)``. So does what is hidden if it throws.
  package func replaceFolder(by copy: String) throws -> Bool {
    let top = try directory.openTop()
    defer { try? top.close() }
    let new = HiddenFolder(replacing: id, .replaced, in: directory)
    let place = directory.top.appending(copy)
    let identity = try onVolume("looking at", place) { () throws(Errno) in try place.status() }
    try onVolume("renaming", place) { () throws(Errno) in try renameFolder(copy, toFree: new.name, in: top) }
    let old: HiddenFolder
    do {
      guard let replaced = try exchange(new, in: top) else {
        try new.remove()
        return false
      }
      old = replaced
    } catch {
      // It may have been carried out all the same; then the old folder has that name.
      let hidden = try? directory.top.appending(new.name).status()
      if hidden?.isSameFile(as: identity) == true { try? new.remove() }
      throw error
    }
    TestStopPoint.folderReplaced.reached()
    guard try isHeld else { return false }
    do {
      try onVolume("syncing", directory.top) { () throws(Errno) in try DurableFile.sync(top) }
      _ = try moveResults(from: old.name, to: id.text, in: top)
    } catch {
      // A folder can be moved only by who may write to it.
      if (try? isHeld) == true, let new = try? exchange(old, in: top),
        (try? moveResults(from: new.name, to: id.text, in: top)) != nil
      {
        try? new.remove()
      }
      throw error
    }
    try old.remove()
    return true
  }

  /// Gives a hidden folder the job's name. Returns the folder that had it, hidden; `nil` if there is none, and then
  /// nothing changes.
  private func exchange(_ hidden: HiddenFolder, in top: FileDescriptor) throws(VolumeError) -> HiddenFolder? {
    let place = directory.folder(of: id)
    guard let status = try? place.status(), DurableFile.isFolder(status) else { return nil }
    return try onVolume("replacing", place) { () throws(Errno) in
      if linux_exchange(top.rawValue, hidden.name, id.text) == 0 { return hidden }
      let cause = Errno(rawValue: errno)
      if cause.saysGone { return nil }
      guard [.invalidArgument, .noFunction, .notSupported].contains(cause) else { throw cause }
      let other = HiddenFolder(replacing: id, .displaced, in: directory)
      try place.rename(to: other.name)
      TestStopPoint.folderHidden.reached()
      do throws(Errno) {
        try renameFolder(hidden.name, toFree: id.text, in: top)
      } catch {
        try? other.putBack()
        throw error
      }
      return other
    }
  }

  /// Moves results/, results.previous/ and .worker/ to a folder that has none, and returns whether there was something to
  /// move. If it has results/, they are newer, and the others become its results.previous/.
  fileprivate func moveResults(from old: String, to new: String, in top: FileDescriptor) throws(VolumeError) -> Bool {
    try onVolume("moving the results to", directory.top.appending(new)) { () throws(Errno) in
      let from = try openFile(old, .directory, in: top)
      defer { try? from.close() }
      let to = try openFile(new, .directory, in: top)
      defer { try? to.close() }
      let (results, previous) = (JobsDirectory.results, JobsDirectory.previousResults)
      let moves = [
        (results, results), (results, previous), (previous, previous),
        (JobsDirectory.workerState, JobsDirectory.workerState),
      ]
      var hasMoved = false
      for (name, newName) in moves {
        if renameat(from.rawValue, name, to.rawValue, newName) == 0 {
          hasMoved = true
        } else {
          guard [ENOENT, EEXIST, ENOTEMPTY].contains(errno) else { throw Errno(rawValue: errno) }
        }
      }
      return hasMoved
    }
  }
}

extension HiddenFolder {
  /// Whether it is of a replacement.
  package var isOfReplacement: Bool { fate == .replaced || fate == .displaced }

  /// What ``finishReplacement(at:)`` did.
  package enum Finish: Sendable {
    /// The job has its folder or its results again.
    case restored
    /// There was nothing to give back.
    case removed
    /// A worker has the job: nothing is done.
    case busy
  }

  /// Ends a replacement that was killed. `now` is the volume's time.
  package func finishReplacement(at now: Int64) throws -> Finish {
    if fate == .displaced, try takesName() { return .restored }
    guard let right = try JobRemoval.begin(id, in: directory, at: now) else { return .busy }
    defer { try? right.end() }
    let top = try directory.openTop()
    defer { try? top.close() }
    // Where names cannot be exchanged, an empty folder keeps the name for the next system call.
    if fate == .displaced, unlinkat(top.rawValue, id.text, AT_REMOVEDIR) == 0, try takesName() { return .restored }
    // If there is none, somebody has removed the job.
    let isThere = DurableFile.exists(directory.folder(of: id))
    let hasMoved = try isThere && right.moveResults(from: name, to: id.text, in: top)
    try remove()
    return hasMoved ? .restored : .removed
  }

  private func takesName() throws(VolumeError) -> Bool {
    do throws(VolumeError) {
      try putBack()
      return true
    } catch {
      guard error.cause == .fileExists else { throw error }
      return false
    }
  }
}
