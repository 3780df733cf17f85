package import Jobs

/// The plan for a request: the steps, and the content of their workspace.
package struct JobPlan: Sendable {
  /// The part of the job's folder that is staged.
  package enum Staging: Sendable, Equatable {
    /// All of it, unchecked.
    case folder
    /// All of it, if the staged copy has this digest; and job.json is read from there.
    case verified(String)
    /// Nothing: the request is signed, and the folder is not.
    case nothing
  }

  package let request: JobRequest
  package let folder: JobFolder
  /// The definition from the folder; for ``Staging/verified(_:)`` it must be read again from the staged copy.
  package var definition: JobDefinition
  /// The digest of the job.json of ``definition``, if it comes from one.
  package var definitionDigest: String?

  package let staging: Staging

  package var reading: DefinitionReading { DefinitionReading(definition: definition, digest: definitionDigest) }

  /// The plan for `request`, with its open folder.
  package init(_ request: JobRequest, _ folder: JobFolder) throws(InvalidInput) {
    self.request = request
    self.folder = folder
    staging = request.source.map { .verified($0) } ?? (request.signature == nil ? .folder : .nothing)
    // The folder of a signed request is not signed unless the request has its digest.
    let usesFolder = staging != .nothing
    let reading = try request.definition { () throws(InvalidInput) in usesFolder ? try folder.readDefinition() : nil
    }
    (definition, definitionDigest) = (reading.definition, reading.digest)
  }
}
