import FileTree
private import FoundationEssentials
package import Jobs
import MQTT
import Signing
package import SystemPackage
import Volume

/// A request with a unique key, so that it can be sent any number of times and is run once.
package struct OutgoingRequest: Sendable {
  /// The job.
  package let id: JobID
  /// The idempotency key, which the answers return.
  package let requestID: RequestID
  /// The payload.
  package private(set) var payload: [UInt8]

  /// The additional claims of a signed request (RFC 7519). Its key becomes the claim `jti`.
  package struct Claims: Sendable {
    private let expires: Duration
    private let audience: [String]
    private let folder: FilePath?

    /// A request that may start within `expires`, on the workers and groups of `audience`, or on all if it is empty,
    /// and only with the current content of `folder`.
    package init(expires: Duration, audience: [String] = [], folder: FilePath?) {
      self.expires = expires
      self.audience = audience
      self.folder = folder
    }

    fileprivate func add(to payload: inout RequestPayload) throws(FileTreeError) {
      payload.limit(to: expires, audience: audience)
      guard let folder else { return }
      let descriptor: FileDescriptor
      do {
        descriptor = try FileDescriptor.open(folder, .readOnly, options: [.directory, .closeOnExec])
      } catch {
        throw FileTreeError(operation: "open", path: RelativePath(""), reason: .system(error as? Errno ?? .ioError))
      }
      defer { try? descriptor.close() }
      payload.source = try FileTree.digest(of: descriptor, excluding: JobsDirectory.reserved)
    }
  }

  /// A request for the job folder `id` on the workers' volume. `steps` and `timeout` replace the job's, `environment` is
  /// added to its.
  package init(
    _ id: JobID, steps: [Step]? = nil, environment: [String: String] = [:], timeout: Duration? = nil,
    claims: Claims? = nil
  ) throws(InvalidInput) {
    self.id = id
    requestID = RequestID(UUID().uuidString)
    var request = RequestPayload(id: id.text, key: requestID.text)
    request.steps = steps?.map(RequestPayload.Step.full)
    request.env = environment.isEmpty ? nil : environment
    request.timeout = timeout?.jobText
    do throws(FileTreeError) {
      try claims?.add(to: &request)
    } catch {
      throw InvalidInput(id: id, description: "the job's folder cannot be read: \(error)")
    }
    guard let payload = try? compactJSON(request) else {
      throw InvalidInput(id: id, description: "the request cannot be written as JSON")
    }
    self.payload = payload
    try checkSize()
  }

  /// A request that carries the steps of `definition`, the job.json in `folder`, which is not on the workers' volume.
  ///
  /// Throws ``InvalidInput`` if a request cannot carry all of it: other files, `maxAttempts`, `requireApproval`, or too
  /// many steps.
  package init(
    _ id: JobID, carrying definition: JobDefinition, of folder: FilePath, timeout: Duration? = nil,
    claims: Claims? = nil
  ) throws(InvalidInput) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
    let others = names.filter { $0 != "job.json" && !JobsDirectory.reserved.contains($0) }.sorted()
    guard others.isEmpty else {
      throw InvalidInput(
        id: id,
        description:
          "\(folder) has more files than job.json (\(others.prefix(3).joined(separator: ", "))), and a request "
          + "carries only steps: let the steps fetch the files, or use a common volume")
    }
    guard definition.maxAttempts == nil else {
      throw InvalidInput(
        id: id, description: "a request cannot carry maxAttempts: remove it from job.json, or use a common volume")
    }
    guard !definition.requiresApproval else {
      throw InvalidInput(
        id: id,
        description: "a request cannot carry requireApproval: remove it from job.json, or use a common volume; "
          + "workers with --require-approval wait for approval of each job")
    }
    guard definition.artifacts == ArtifactRules(), definition.caches.isEmpty else {
      throw InvalidInput(
        id: id,
        description:
          "a request cannot carry artifacts or cache: remove them from job.json, or use a common volume")
    }
    try self.init(
      id, steps: definition.steps, environment: definition.environment, timeout: timeout ?? definition.timeout,
      claims: claims)
  }

  /// The same request with the payload signed by `seal`.
  package func sealed(by seal: ([UInt8]) throws -> String) throws -> OutgoingRequest {
    var sealed = self
    sealed.payload = Array(try seal(payload).utf8)
    try sealed.checkSize(RequestReader.largestSigned)
    return sealed
  }

  private func checkSize(_ largest: Int = JobRequest.largestPayload) throws(InvalidInput) {
    guard payload.count > largest else { return }
    throw InvalidInput(
      id: id,
      description:
        "the request has \(payload.count) bytes, and at most \(largest) are allowed: use a common volume "
        + "instead of sending the steps")
  }

  /// The message, with the key also as Correlation Data.
  func message(on topic: String) -> Message {
    Message(
      topic: topic, payload: payload,
      properties: MessageProperties(
        correlationData: Array(requestID.text.utf8), contentType: "application/json"))
  }
}
