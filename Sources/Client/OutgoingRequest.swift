import FileTree
private import FoundationEssentials
package import Jobs
package import MQTT
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

    fileprivate func add(to payload: inout Payload) throws(FileTreeError) {
      let now = Int64(Date().timeIntervalSince1970)
      payload.iat = now
      payload.exp = now + max(1, expires.components.seconds)
      payload.aud = audience.isEmpty ? nil : audience
      payload.jti = payload.requestId
      payload.requestId = nil
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

  /// A request for the job folder `id` on the workers' volume. `timeout` overrides the job's.
  package init(_ id: JobID, timeout: Duration? = nil, claims: Claims? = nil) throws(InvalidInput) {
    try self.init(id, steps: nil, timeout: timeout, claims: claims)
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
        description: "\(folder) holds more than job.json (\(others.prefix(3).joined(separator: ", "))), and a request "
          + "carries steps only: let them fetch what they need, or use a common volume")
    }
    guard definition.maxAttempts == nil else {
      throw InvalidInput(
        id: id, description: "a request cannot carry maxAttempts: take it out of job.json, or use a common volume")
    }
    guard !definition.requiresApproval else {
      throw InvalidInput(
        id: id,
        description: "a request cannot carry requireApproval: take it out of job.json, or use a common volume; "
          + "workers with --require-approval ask for each job")
    }
    try self.init(id, steps: definition, timeout: timeout, claims: claims)
  }

  private init(
    _ id: JobID, steps definition: JobDefinition?, timeout: Duration?, claims: Claims?
  ) throws(InvalidInput) {
    self.id = id
    requestID = RequestID(UUID().uuidString)
    var request = Payload(
      id: id, requestId: requestID, steps: definition?.steps.map(Payload.Step.init),
      env: definition.flatMap { $0.environment.isEmpty ? nil : $0.environment },
      timeout: (timeout ?? definition?.timeout)?.jobText)
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
        "the request takes \(payload.count) bytes, of \(largest) at most: use a common volume "
        + "instead of sending the steps")
  }

  /// The message, with the key also as Correlation Data.
  package func message(on topic: String) -> Message {
    Message(
      topic: topic, payload: payload,
      properties: MessageProperties(
        correlationData: Array(requestID.text.utf8), contentType: "application/json"))
  }

  fileprivate struct Payload: Encodable {
    let id: JobID
    var requestId: RequestID?
    var jti: RequestID?
    var iat: Int64?
    var exp: Int64?
    var aud: [String]?
    var source: String?
    let steps: [Step]?
    let env: [String: String]?
    let timeout: String?

    struct Step: Encodable {
      let name: String?
      let run: String
      let shell: [String]?
      let env: [String: String]?
      let workingDirectory: String?
      let timeout: String?
      let continueOnError: Bool?
      let always: Bool?

      init(_ step: Jobs.Step) {
        name = step.name
        run = step.run
        shell = step.shell == Jobs.Step.defaultShell ? nil : step.shell
        env = step.environment.isEmpty ? nil : step.environment
        workingDirectory = step.workingDirectory
        timeout = step.timeout?.jobText
        continueOnError = step.continueOnError ? true : nil
        always = step.always ? true : nil
      }
    }
  }
}

/// The digest of a job folder, by which a request fixes the content to run.
package struct JobSourceDigest: Sendable {
  /// The job: the folder's name.
  package let id: JobID
  /// `h1:<base64>`; see ``FileTree/digest(of:excluding:threads:)``. Without `results` and `results.previous`.
  package let digest: String

  /// Reads the folder. Throws ``InvalidInput`` if it is no folder, if a file in it cannot be read, or if its job.json
  /// is missing or invalid and the request has no steps of its own.
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
