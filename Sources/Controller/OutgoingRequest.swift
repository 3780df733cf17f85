private import FoundationEssentials
public import JobWorker
import MQTT
public import SystemPackage

/// A request as its sender makes it: it bears a key of its own, so that it may be sent any number of times and is run once.
public struct OutgoingRequest: Sendable {
  /// The job.
  public let id: JobID
  /// The idempotency key, which the answers bear.
  public let requestID: RequestID
  /// The payload.
  public let payload: [UInt8]

  /// Asks for the job of the folder `id` on the workers' volume. `timeout` is laid over the job's.
  public init(_ id: JobID, timeout: Duration? = nil) throws(InvalidJob) {
    try self.init(id, steps: nil, timeout: timeout)
  }

  /// Asks for the steps of `definition`, the job.json in `folder`, which nobody else can see.
  ///
  /// Throws ``InvalidJob`` when there is more than goes into a request: other files, `maxAttempts`, or too many steps.
  public init(
    _ id: JobID, carrying definition: JobDefinition, of folder: FilePath, timeout: Duration? = nil
  ) throws(InvalidJob) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
    let others = names.filter { $0 != "job.json" && !JobsDirectory.reserved.contains($0) }.sorted()
    guard others.isEmpty else {
      throw InvalidJob(
        id: id,
        description: "\(folder) holds more than job.json (\(others.prefix(3).joined(separator: ", "))), and a request "
          + "carries steps only: let them fetch what they need, or use a common volume")
    }
    guard definition.maxAttempts == nil else {
      throw InvalidJob(
        id: id, description: "a request cannot carry maxAttempts: take it out of job.json, or use a common volume")
    }
    try self.init(id, steps: definition, timeout: timeout)
  }

  private init(_ id: JobID, steps definition: JobDefinition?, timeout: Duration?) throws(InvalidJob) {
    self.id = id
    requestID = RequestID(UUID().uuidString)
    let request = Payload(
      id: id, requestId: requestID, steps: definition?.steps.map(Payload.Step.init),
      env: definition.flatMap { $0.environment.isEmpty ? nil : $0.environment },
      timeout: (timeout ?? definition?.timeout)?.jobText)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let bytes = try? encoder.encode(request) else {
      throw InvalidJob(id: id, description: "the request cannot be written as JSON")
    }
    guard bytes.count <= JobRequest.largestPayload else {
      throw InvalidJob(
        id: id,
        description: "the steps take \(bytes.count) bytes, and a request \(JobRequest.largestPayload) at most: "
          + "use a common volume")
    }
    payload = Array(bytes)
  }

  /// The message, with the key as Correlation Data too.
  func message(on topic: String) -> Message {
    Message(
      topic: topic, payload: payload,
      properties: MessageProperties(
        correlationData: Array(requestID.text.utf8), contentType: "application/json"))
  }

  private struct Payload: Encodable {
    let id: JobID
    let requestId: RequestID
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

      init(_ step: JobWorker.Step) {
        name = step.name
        run = step.run
        shell = step.shell == JobWorker.Step.defaultShell ? nil : step.shell
        env = step.environment.isEmpty ? nil : step.environment
        workingDirectory = step.workingDirectory
        timeout = step.timeout?.jobText
        continueOnError = step.continueOnError ? true : nil
        always = step.always ? true : nil
      }
    }
  }
}
