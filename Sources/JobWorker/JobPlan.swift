import SystemPackage

/// What a request comes to: the steps to run, and what they find in their workspace.
struct JobPlan: Sendable {
  /// What of the job's folder is staged.
  enum Staging: Sendable, Equatable {
    /// All of it, as it is.
    case folder
    /// All of it, if the staged copy has this digest; and job.json is read from there.
    case verified(String)
    /// Nothing: the request is signed, and the folder is not.
    case nothing
  }

  let request: JobRequest
  let folder: JobFolder
  /// As the folder said it; for ``Staging/verified(_:)`` to be read again from the staged copy.
  var definition: JobDefinition
  /// The digest of the job.json that ``definition`` comes from, if it comes from one.
  var definitionDigest: String?

  let staging: Staging

  var reading: DefinitionReading { DefinitionReading(definition: definition, digest: definitionDigest) }

  /// The plan for `request`, whose folder is there.
  init(_ request: JobRequest, _ folder: JobFolder) throws(InvalidJob) {
    self.request = request
    self.folder = folder
    staging = request.source.map { .verified($0) } ?? (request.signature == nil ? .folder : .nothing)
    // What the folder of a signed request says is not signed, if the request does not bear its digest.
    let isFolderHeard = staging != .nothing
    let reading = try request.definition { () throws(InvalidJob) in isFolderHeard ? try folder.readDefinition() : nil }
    (definition, definitionDigest) = (reading.definition, reading.digest)
  }
}

extension JobRequest {
  /// The job that it asks for: its own steps, over what a job.json says if there is a good one; or that of the job.json,
  /// which must be good then.
  func definition(
    over stored: () throws(InvalidJob) -> DefinitionReading?
  ) throws(InvalidJob) -> DefinitionReading {
    guard let own = JobDefinition(request: self) else {
      if let stored = try stored() { return stored.overlaid(with: self) }
      throw InvalidJob(id: id, description: "the request has no steps")
    }
    do {
      return try stored()?.overlaid(with: self) ?? DefinitionReading(definition: own)
    } catch {
      guard error.fault == nil else { throw error }
      return DefinitionReading(definition: own)
    }
  }
}

extension DefinitionReading {
  fileprivate func overlaid(with request: JobRequest) -> DefinitionReading {
    DefinitionReading(definition: definition.overlaid(with: request), digest: digest)
  }
}

extension Workspace {
  /// The plan with the job.json that was staged, if the staged copy is what the request was made for.
  ///
  /// Throws ``InvalidJob`` if it is not. From here on nothing comes from the volume any more, so that no step can differ
  /// from what was signed.
  func check(_ plan: JobPlan, isCanceled: @escaping @Sendable () -> Bool = { false }) async throws -> JobPlan {
    guard case .verified(let wanted) = plan.staging else { return plan }
    let found = try await digest(isCanceled: isCanceled)
    let (request, folder) = (plan.request, plan.folder)
    guard found == wanted else {
      throw InvalidJob(
        id: request.id,
        description:
          "source-mismatch: the staged copy of \(folder.path) is \(found), and the request is for \(wanted); "
          + "the folder was changed after the request was made")
    }
    var plan = plan
    let reading = try request.definition { () throws(InvalidJob) in try readDefinition(request.id) }
    (plan.definition, plan.definitionDigest) = (reading.definition, reading.digest)
    return plan
  }
}
