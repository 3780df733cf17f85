import FileTree
private import FoundationEssentials
package import Jobs
import Logging
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

/// The JSON of a request; absent values are left out.
package struct RequestPayload: Encodable {
  /// A step: only its command as a string, or an object with all its settings.
  package enum Step: Encodable {
    case command(String)
    case full(Jobs.Step)

    private enum CodingKeys: String, CodingKey {
      case name, run, shell, env, workingDirectory, timeout, continueOnError, always, retries, retryDelay
    }

    package func encode(to encoder: any Encoder) throws {
      switch self {
      case .command(let command):
        var container = encoder.singleValueContainer()
        try container.encode(command)
      case .full(let step):
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(step.name, forKey: .name)
        try container.encode(step.run, forKey: .run)
        if step.shell != Jobs.Step.defaultShell { try container.encode(step.shell, forKey: .shell) }
        if !step.environment.isEmpty { try container.encode(step.environment, forKey: .env) }
        try container.encodeIfPresent(step.workingDirectory, forKey: .workingDirectory)
        try container.encodeIfPresent(step.timeout?.jobText, forKey: .timeout)
        if step.continueOnError { try container.encode(true, forKey: .continueOnError) }
        if step.always { try container.encode(true, forKey: .always) }
        if step.retries > 0 { try container.encode(step.retries, forKey: .retries) }
        try container.encodeIfPresent(step.retryDelay?.jobText, forKey: .retryDelay)
      }
    }
  }

  private let id: String
  private var requestId: String?
  private var jti: String?
  private var iat: Int64?
  private var exp: Int64?
  private var aud: [String]?
  package var source: String?
  package var steps: [Step]?
  package var env: [String: String]?
  package var timeout: String?

  /// A request for the job `id` with the idempotency key `key`, by default a random one.
  package init(id: String, key: String? = nil) {
    self.id = id
    requestId = key ?? UUID().uuidString
  }

  /// Adds the claims that a signed request needs (RFC 7519): it may start within `expires`, on the workers and groups
  /// of `audience`, or on all if it is empty. The key becomes the claim `jti`.
  package mutating func limit(to expires: Duration, audience: [String]) {
    let now = Int64(Date().timeIntervalSince1970)
    iat = now
    exp = now + max(1, expires.components.seconds)
    aud = audience.isEmpty ? nil : audience
    jti = requestId
    requestId = nil
  }
}

/// Sends a request until a worker has taken it: every second while there is no subscriber, at once after a
/// reconnection, and at longer intervals while the broker has it.
///
/// Because of its key it is run once. With MQTT 3.1.1 the broker does not report a missing subscriber, so the
/// intervals are shorter.
struct RequestSender: Sendable {
  /// The broker's answer to the request.
  enum Place: Sendable, Equatable {
    /// The broker dropped it: there is no subscriber.
    case noSubscriber
    /// The broker has it.
    case queued
    /// The broker refuses it for now.
    case refused(ReasonCode)
  }

  let client: BrokerClient
  let message: Message
  let version: ProtocolVersion
  /// Gets each answer of the broker.
  let report: @Sendable (Place) async -> Void

  /// Sends it again and again until the task is canceled. Throws ``MQTTError`` if the broker refuses it for good.
  func run() async throws {
    var pause = first
    let (again, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let listening = Task { [client] in
      for await _ in client.reconnections { wake.yield() }
      wake.finish()
    }
    defer { listening.cancel() }
    var wakes = again.makeAsyncIterator()
    while !Task.isCancelled {
      let code: ReasonCode
      do {
        code = try await client.publish(message)
      } catch {
        // The publication of a canceled task ends with an error.
        guard !Task.isCancelled else { return }
        throw error
      }
      let place = try place(after: code)
      await report(place)
      let delay = place == .queued ? pause : .seconds(1)
      if place == .queued { pause = min(pause * 2, longest) }
      let timer = Task {
        try await Task.sleep(for: delay)
        wake.yield()
      }
      defer { timer.cancel() }
      guard await wakes.next() != nil else { return }
    }
  }

  private var first: Duration { version == .v5 ? .seconds(30) : .seconds(2) }
  private var longest: Duration { version == .v5 ? .seconds(600) : .seconds(30) }

  private func place(after code: ReasonCode) throws(MQTTError) -> Place {
    switch code {
    case .noMatchingSubscribers: return .noSubscriber
    // Quota exceeded, unspecified and implementation specific errors (MQTT 5, section 3.4.2.1) may be temporary.
    case ReasonCode(rawValue: 0x97), ReasonCode(rawValue: 0x80), ReasonCode(rawValue: 0x83): return .refused(code)
    default:
      guard code.isFailure else { return .queued }
      throw .unsupported("publishing to '\(message.topic)': the broker answers \(code)")
    }
  }
}
