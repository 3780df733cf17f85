package import Jobs
import Signing
import Volume

/// What somebody approves.
package struct Proposal: Sendable {
  /// What is asked for. Who signed it is not looked at.
  package let request: JobRequest
  /// What would run.
  package let definition: JobDefinition
  /// The digest of the job.json that it comes from, if it comes from one.
  package let definitionDigest: String?
}

extension ParkedRequest {
  /// What would run now: the request, with what the job's folder says at this moment. Throws ``InvalidInput`` when a worker
  /// would refuse it. A request that brings its steps has no folder yet.
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
