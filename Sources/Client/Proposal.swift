package import Jobs
import Signing
import Volume

/// The content of a request that waits for approval.
package struct Proposal: Sendable {
  /// The request. Its signature is not verified.
  package let request: JobRequest
  /// The definition that would run.
  package let definition: JobDefinition
  /// The digest of its job.json, if it comes from one.
  package let definitionDigest: String?
}

extension ParkedRequest {
  /// The request with the current content of the job's folder. Throws ``InvalidInput`` if a worker would refuse it. A
  /// request with its own steps has no folder yet.
  package func proposal() throws(InvalidInput) -> Proposal {
    let request = try RequestReader.unverified(Array(envelope.payload.utf8))
    guard request.id == id else {
      throw InvalidInput(id: id, description: "the request that is parked for \(id) is another's")
    }
    if request.source == nil, let own = JobDefinition(request: request), !directory.exists(id) {
      return Proposal(request: request, definition: own, definitionDigest: nil)
    }
    let plan = try JobPlan(request, try JobFolder.open(id, in: directory))
    return Proposal(request: request, definition: plan.definition, definitionDigest: plan.definitionDigest)
  }
}
