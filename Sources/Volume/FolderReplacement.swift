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
  /// Gives the job's name to the folder `copy` of the jobs folder, and removes the one that has it. `false` if the job has
  /// no folder, and then the copy is removed; or if the right was lost: then a worker may have the job, and what is hidden
  /// stays for ``HiddenFolder/finishReplacement(at:)``. If it throws, all is as before, as far as that can be.
  package func replaceFolder(by copy: String) throws -> Bool {
    let top = try directory.openTop()
    defer { try? top.close() }
    let new = HiddenFolder(replacing: id, .replaced, in: directory)
    try onVolume("renaming", directory.top.appending(copy)) { () throws(Errno) in
      try renameFolder(copy, toFree: new.name, in: top)
    }
    let old: HiddenFolder
    do {
      guard let replaced = try exchange(new, in: top) else {
        try new.remove()
        return false
      }
      old = replaced
    } catch {
      try? new.remove()
      throw error
    }
    TestStopPoint.folderReplaced.reached()
    guard try isHeld else { return false }
    do {
      try moveResults(from: old.name, to: id.text, in: top)
    } catch {
      // A folder can be moved only by who may write to it.
      if (try? isHeld) == true, let new = try? exchange(old, in: top) {
        try? moveResults(from: new.name, to: id.text, in: top)
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
      if linux_exchange(top.rawValue, hidden.name, id.text) == 0 {
        try DurableFile.sync(top)
        return hidden
      }
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
      try DurableFile.sync(top)
      return other
    }
  }

  /// Moves what a folder lacks of results there. Results that it has are newer: then those of the other are the earlier
  /// ones.
  fileprivate func moveResults(from old: String, to new: String, in top: FileDescriptor) throws(VolumeError) {
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
      for (name, newName) in moves where renameat(from.rawValue, name, to.rawValue, newName) != 0 {
        guard [ENOENT, EEXIST, ENOTEMPTY].contains(errno) else { throw Errno(rawValue: errno) }
      }
    }
  }
}

extension HiddenFolder {
  /// Whether it is of a replacement.
  package var isOfReplacement: Bool { fate == .replaced || fate == .displaced }

  /// Ends a replacement that was killed. `false` if a worker has the job: then it stays for the next time. `now` is the
  /// volume's time.
  package func finishReplacement(at now: Int64) throws -> Bool {
    if fate == .displaced, try takesName() { return true }
    guard let right = try JobRemoval.begin(id, in: directory, at: now) else { return false }
    defer { try? right.end() }
    let top = try directory.openTop()
    defer { try? top.close() }
    // Where names cannot be exchanged, an empty folder keeps the name for the next system call.
    if fate == .displaced, unlinkat(top.rawValue, id.text, AT_REMOVEDIR) == 0, try takesName() { return true }
    // If there is none, somebody has removed the job.
    if DurableFile.exists(directory.folder(of: id)) { try right.moveResults(from: name, to: id.text, in: top) }
    try remove()
    return true
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
