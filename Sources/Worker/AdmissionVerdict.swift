import Steps
import Jobs
import Signing
import Volume

extension Admission {
  /// The verdict on a request and on the job folder that it names.
  enum Verdict {
    case valid(JobPlan)
    case unapproved(Unapproved)
    case invalid(InvalidInput)
    /// The request names other workers.
    case forOthers

    var isForOthers: Bool { if case .forOthers = self { true } else { false } }

    /// Whether the job's name still leads to the folder that was judged, if one was.
    func isInPlace(in directory: JobsDirectory) -> Bool {
      if case .valid(let plan) = self { plan.folder.isInPlace(in: directory) } else { true }
    }

    /// The plan of a valid request. Throws ``InvalidInput`` if the job may not begin.
    func plan(_ id: JobID) throws(InvalidInput) -> JobPlan {
      switch self {
      case .valid(let plan): return plan
      case .unapproved(let why): throw why.rejection(of: id)
      case .invalid(let reason): throw reason
      case .forOthers: preconditionFailure("it is left to others")
      }
    }
  }

  func judge(_ request: Request) async throws -> Verdict {
    if let refusal = gate.refusal(of: request.envelope, request.id) { return .invalid(refusal) }
    do {
      try checkIsInTime(request)
      let content = try request.content.get()
      let expiry = Self.expiry(of: content)
      // An abandoned job has begun, so it is answered as lost, not as rejected.
      if let expiry, !request.isAbandoned { throw expiry }
      // The request waits until a worker that it names returns, or until it expires.
      guard settings.reader.isMeantForThisWorker(content) || expiry != nil else { return .forOthers }
      return .valid(try await plan(for: content, request.envelope))
    } catch let unapproved as Unapproved {
      return .unapproved(unapproved)
    } catch let invalid as InvalidInput {
      guard let hint = try? request.content.get().unknownKeys.hint, !hint.isEmpty else { return .invalid(invalid) }
      return .invalid(InvalidInput(id: request.id, description: invalid.description + hint))
    }
  }

  /// A request that waited on the volume ends as it would have ended with the broker, but is answered. One that has begun
  /// was in time.
  private func checkIsInTime(_ request: Request) throws {
    guard case .deferred(let deferred) = request.origin, let expiry = request.envelope.expiry,
      request.envelope.run == nil, let (arrived, _) = DeferredQueue.parse(deferred.path.name),
      Duration.nanoseconds(try ledger.lease.clock.now()) - .nanoseconds(arrived) > .seconds(Int64(expiry))
    else { return }
    throw InvalidInput(
      id: request.id,
      description:
        "the request waited on the volume for longer than its Message Expiry Interval of \(expiry) s; send it again")
  }

  /// Why a signed request may not begin now; `nil` if it may.
  static func expiry(of request: JobRequest) -> InvalidInput? {
    do throws(InvalidInput) {
      try request.signature?.check(at: .now, request.id)
      return nil
    } catch {
      return error
    }
  }

  /// The plan of the job that the request asks for. Waits up to `folderPatience` for a missing folder: a network volume
  /// may show it late.
  ///
  /// Throws ``Unapproved`` before it makes a folder, so that an unapproved request leaves no folder behind.
  private func plan(for request: JobRequest, _ envelope: Envelope) async throws -> JobPlan {
    if request.source == nil, request.steps != nil {
      if envelope.approval == nil, let own = JobDefinition(request: request), !ledger.directory.exists(request.id) {
        try gate.check(envelope, DefinitionReading(definition: own))
      }
      try JobFolder.make(request.id, in: ledger.directory)
    } else {
      let deadline = ContinuousClock.now + settings.folderPatience
      while !ledger.directory.exists(request.id), ContinuousClock.now < deadline, stop.level == .none {
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    let plan: JobPlan
    do {
      plan = try JobPlan(request, try JobFolder.open(request.id, in: ledger.directory))
    } catch {
      // A fault of the volume does not make the request invalid. It stays where it is until the volume can be read.
      guard let fault = error.fault else { throw error }
      throw VolumeError("reading the job in", ledger.directory.folder(of: request.id), fault)
    }
    try gate.check(envelope, plan.reading)
    return plan
  }
}
