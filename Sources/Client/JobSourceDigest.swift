import FileTree
package import Jobs
package import SystemPackage
import Volume

/// The digest of a job folder, by which a request binds what is to be run.
package struct JobSourceDigest: Sendable {
  /// The job: the folder's name.
  package let id: JobID
  /// `h1:<base64>`; see ``FileTree/digest(of:excluding:threads:)``. `results` and `results.previous` do not count.
  package let digest: String

  /// Reads the folder. Throws ``InvalidInput`` when it is none, when a file in it cannot be read, or when its job.json is
  /// missing or wrong and the request does not bring steps of its own.
  package init(_ folder: FilePath, hasSteps: Bool) throws(InvalidInput) {
    let (name, parent) = try JobCheck.place(of: folder)
    let id = try JobCheck.id(in: name)
    let job = try JobFolder.open(id, in: JobsDirectory(parent))
    if !hasSteps { _ = try job.definition() }
    self.id = id
    do throws(FileTreeError) {
      digest = try FileTree.digest(of: job.descriptor, excluding: JobsDirectory.reserved)
    } catch {
      throw InvalidInput(id: id, description: "\(folder): \(error)")
    }
  }
}
