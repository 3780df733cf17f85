private import Glibc
import Jobs
import SystemPackage

/// The exclusive right to publish an undelivered result.
package final class HeldResult: Sendable {
  package let name: UndeliveredName
  let path: VolumePath
  private let results: UndeliveredResults
  private let file: FileDescriptor
  private let renewer: LeaseRenewer

  init(_ name: UndeliveredName, _ results: UndeliveredResults, _ path: VolumePath, _ file: FileDescriptor) {
    self.name = name
    self.results = results
    self.path = path
    self.file = file
    renewer = results.lease.keeping(file) {}
  }

  deinit {
    renewer.cancel()
    try? file.close()
  }

  /// Whether the file still has this worker's name: another worker takes it after a lease without a touch.
  package var isHeld: Bool { DurableFile.exists(path) }

  /// Removes the result: it is published, or must not be published any more.
  package func remove() throws(VolumeError) {
    renewer.cancel()
    try DurableFile.remove(path)
  }

  /// Returns the result unchanged, because it could not be tried.
  package func giveBack() throws(VolumeError) {
    renewer.cancel()
    _ = try DurableFile.move(path, to: results.folder.appending(name.unheld))
  }

  /// Stores the result for a later try. The broker refused it; `result` has the reason.
  package func giveBack(_ result: UndeliveredResult) throws(VolumeError) -> UndeliveredName {
    try DurableFile.rewrite(path, DurableFile.line(result, for: path))
    renewer.cancel()
    let next = UndeliveredName(name.id, tries: name.tries + 1, at: try results.lease.clock.now())
    _ = try DurableFile.move(path, to: results.folder.appending(next.text))
    return next
  }

  func setAside() throws(VolumeError) {
    renewer.cancel()
    _ = try DurableFile.move(path, to: UndeliveredResults.hidden(path))
  }
}
