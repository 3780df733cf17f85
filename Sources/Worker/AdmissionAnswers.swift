import Jobs
import Logging
import Volume

// Requests that were answered before.
extension Admission {
  /// The stored result with the request's key, if there is one. A claim with the key does not count as an answer: its
  /// holder may not have looked for the deferred request yet, and would take a missing file to mean that the job is
  /// done.
  func answer(to request: Request) throws -> JobResult? {
    guard let stored = try ledger.storedResult(of: request.id) else { return nil }
    // A worker copies the key of its claim into the result, so the key of an abandoned claim is compared as text.
    let key = request.envelope.requestId
    return (request.isAbandoned ? stored.requestId == key.text : key.isSame(as: stored.requestId)) ? stored : nil
  }

  func answerAgain(_ request: Request, _ stored: JobResult) async throws -> Outcome {
    if case .deferred(let deferred) = request.origin {
      logger.debug("it was deferred, and answered before: removing its file", metadata: ["job": "\(request.id)"])
      // A sender that repeats a request with its own key asks for the answer. A broker that repeats a delivery does
      // not.
      guard try ledger.deferredQueue.remove(deferred), request.envelope.requestId.isSenders else { return .noJob }
      // Others with its key ask for the same answer.
      try removeDeferred(of: request)
    }
    try await outbox.answerAgain(request, stored)
    await request.acknowledge()
    return .noJob
  }

  func settleAnswered(_ request: Request, _ stored: JobResult, _ claim: Claim) async throws -> Outcome {
    switch request.origin {
    case .abandoned:
      try removeDeferred(of: request)
      let job = AcceptedJob(claim: claim, work: .publish(stored), cancelableSince: .now)
      state.begin(job.place())
      return .accepted(job)
    case .deferred(let deferred):
      _ = try ledger.deferredQueue.remove(deferred)
      try await fence.drop(claim)
      return .noJob
    case .delivery:
      try await fence.drop(claim)
      return try await answerAgain(request, stored)
    }
  }

  /// Whether a later request for the job has moved this one's answer aside: this worker stood still, and holds a copy of a
  /// delivery that another worker got and answered meanwhile. Nobody waits for a second answer. A sender that repeats its
  /// key after that asks for a new run; if the connection that brought the repeat is gone, the broker sends it again.
  func isOutrun(_ request: Request) throws -> Bool {
    let key = request.envelope.requestId
    guard !request.isAbandoned, request.isStale || !key.isSenders else { return false }
    return try ledger.hasMovedAside(answerTo: request.envelope, request.id)
  }

  func settleOutrun(_ request: Request, _ claim: Claim) async throws -> Outcome {
    if case .deferred(let deferred) = request.origin { _ = try ledger.deferredQueue.remove(deferred) }
    try await fence.drop(claim)
    await request.acknowledge()
    return .noJob
  }
}
