package import Jobs
import SystemPackage

/// What a request comes to: the steps to run, and what they find in their workspace.
package struct JobPlan: Sendable {
  /// What of the job's folder is staged.
  package enum Staging: Sendable, Equatable {
    /// All of it, as it is.
    case folder
    /// All of it, if the staged copy has this digest; and job.json is read from there.
    case verified(String)
    /// Nothing: the request is signed, and the folder is not.
    case nothing
  }

  package let request: JobRequest
  package let folder: JobFolder
  /// As the folder said it; for ``Staging/verified(_:)`` to be read again from the staged copy.
  package var definition: JobDefinition
  /// The digest of the job.json that ``definition`` comes from, if it comes from one.
  package var definitionDigest: String?

  package let staging: Staging

  package var reading: DefinitionReading { DefinitionReading(definition: definition, digest: definitionDigest) }

  /// The plan for `request`, whose folder is there.
  package init(_ request: JobRequest, _ folder: JobFolder) throws(InvalidInput) {
    self.request = request
    self.folder = folder
    staging = request.source.map { .verified($0) } ?? (request.signature == nil ? .folder : .nothing)
    // What the folder of a signed request says is not signed, if the request does not bear its digest.
    let isFolderHeard = staging != .nothing
    let reading = try request.definition { () throws(InvalidInput) in isFolderHeard ? try folder.readDefinition() : nil }
    (definition, definitionDigest) = (reading.definition, reading.digest)
  }
}
