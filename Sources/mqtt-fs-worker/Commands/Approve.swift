import ArgumentParser
import Client
import Glibc
import Jobs
import MQTT
import Volume

/// `mqtt-fs-worker approve <id>`: approves or rejects a request that waits for approval.
struct Approve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Approves a request that waits for it, or rejects it. Without an id, lists what waits.",
    discussion: """
      It works on the volume: any worker of the request's topic takes the job up then. What is approved is shown on stderr: \
      these steps, from this request and this job.json; if job.json is another when the job is begun, the request waits again. \
      On a terminal it asks first. With a broker in the options or the environment the workers are told at once.

      Exit status: 64 if several requests are meant, 65 if the request is not what --digest says or cannot be run, 66 if none \
      waits, 75 if somebody else decided just now.
      """)

  @Argument(help: ArgumentHelp("The job, or its request's key, or how one of them begins.", valueName: "id"))
  var id: String?

  @Flag(help: "Reject it: it is not run, and its sender is told so.")
  var reject = false

  @Option(
    help: ArgumentHelp("Why; goes into the audit log, and to the sender of a rejected request.", valueName: "text"))
  var reason: String?

  @Option(help: ArgumentHelp("Who decides. (default: the user and the host)", valueName: "name"))
  var by: String?

  @Option(
    help: ArgumentHelp(
      "Only if this is the request's digest, as the event awaiting-approval told it.", valueName: "sha256:hex"))
  var digest: String?

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  @OptionGroup var volume: VolumeOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  func run() async throws {
    let environment = Environment.current
    let console = Console("approve")
    let directory = try volume.directory(environment)
    let store = ApprovalStore(directory)
    let parked = try store.parked()
    guard let id else { return try Output.write(table(parked)) }
    let request = try choose(id, among: parked, console)
    let approval = try approval(of: request, console)
    guard await isMeant(console) else {
      console.say("the request waits on")
      throw ExitStatus.unwilling
    }
    guard try store.decide(approval, on: request) else {
      console.say("somebody else decided about job \(request.id) just now")
      throw ExitStatus.tryAgain
    }
    console.say("job \(request.id) is \(approval.decision.rawValue) by \(approval.by.escaped(upTo: 200))")
    await tellWorkers(environment, console)
  }

  // MARK: The request

  /// Finds the request by its job, or by its key, or by how one of them begins: exactly one must match.
  private func choose(_ name: String, among parked: [ParkedRequest], _ console: Console) throws -> ParkedRequest {
    let key = { (request: ParkedRequest) in request.envelope.requestId.text }
    let tries: [(ParkedRequest) -> Bool] = [
      { $0.id.text == name }, { key($0) == name }, { $0.id.text.hasPrefix(name) || key($0).hasPrefix(name) },
    ]
    let meant = tries.lazy.map { parked.filter($0) }.first { !$0.isEmpty } ?? []
    guard let request = meant.first else {
      console.say("no request waits for approval whose job or key is, or begins with, '\(name.escaped)'")
      throw ExitStatus.noSuchJob
    }
    guard meant.count == 1 else {
      console.say("'\(name.escaped)' may be one of \(meant.count) requests; name one by its job or its key")
      for line in table(meant).split(separator: "\n") { complain(String(line)) }
      throw ExitStatus.usage
    }
    return request
  }

  private func table(_ parked: [ParkedRequest]) -> String {
    guard !parked.isEmpty else { return "" }
    let rows = parked.map { request in
      [
        request.id.text, request.since.description, request.envelope.topic.escaped,
        request.envelope.requestId.text.escaped, request.envelope.digest,
      ]
    }
    return TextTable([["JOB", "SINCE", "TOPIC", "REQUEST", "DIGEST"]] + rows).text
  }

  // MARK: The decision

  /// The decision about the request as it is shown now.
  private func approval(of request: ParkedRequest, _ console: Console) throws -> Approval {
    let digest = request.envelope.digest
    guard self.digest == nil || self.digest == digest else {
      console.say("the request that waits has the digest \(digest): it is not the one that is meant")
      throw ExitStatus.badPayload
    }
    show(request)
    let by = by ?? userAtHost()
    do {
      let proposal = try request.proposal()
      show(proposal)
      return Approval(
        reject ? .rejected : .approved, by: by, reason: reason, requestDigest: digest,
        definitionDigest: proposal.definitionDigest)
    } catch {
      guard reject else { throw error }
      complain("it could not be run: \(error)")
      return Approval(.rejected, by: by, reason: reason, requestDigest: digest)
    }
  }

  private func show(_ request: ParkedRequest) {
    let envelope = request.envelope
    show([
      ("job", request.id.text), ("waits since", request.since.description), ("topic", envelope.topic),
      ("answer to", envelope.responseTopic), ("request", envelope.requestId.text), ("digest", envelope.digest),
    ])
  }

  private func show(_ proposal: Proposal) {
    let (request, definition) = (proposal.request, proposal.definition)
    let names = definition.environment.keys.sorted().map { $0.escaped }
    show([
      ("signed", request.signature.map { _ in "by a key that the worker checks" }),
      ("in the name of", request.signature?.subject),
      ("begins by", request.signature?.expires.description), ("folder", request.source),
      ("job.json", proposal.definitionDigest), ("variables", names.isEmpty ? nil : names.joined(separator: ", ")),
      ("timeout", definition.timeout?.jobText),
    ])
    for (index, step) in definition.steps.enumerated() {
      let name = step.name.map { "(\($0.escaped)) " } ?? ""
      let shell = step.shell == Step.defaultShell ? "" : "[\(step.shell.map { $0.escaped }.joined(separator: " "))] "
      complain("step \(index): \(name)\(shell)\(step.run.escaped(upTo: 4000))")
    }
  }

  /// Escapes the values: foreign text must not send control sequences to the terminal.
  private func show(_ facts: [(String, String?)]) {
    for case (let name, let value?) in facts {
      complain("\(name): ".padded(to: 16) + value.escaped(upTo: 500))
    }
  }

  private func isMeant(_ console: Console) async -> Bool {
    guard !yes, console.canAsk else { return true }
    return await console.ask("\(reject ? "reject" : "approve") it? [y/N]")?.lowercased().hasPrefix("y") == true
  }

  // MARK: The workers

  /// Tells workers about the decision. Without a message idle workers find it within a third of a lease.
  private func tellWorkers(_ environment: Environment, _ console: Console) async {
    guard broker.url != nil || environment["MQTT_URL"] != nil || environment["MQTT_BROKER"] != nil else { return }
    var broker = broker
    broker.connectTimeout = broker.connectTimeout ?? Timespan(.seconds(3))
    do {
      try await broker.withClient("approve", environment, logger: log.logger(environment)) { client in
        let code = try await client.publish(Message(topic: Topics.waiting, payload: []))
        guard code == .notAuthorized else { return }
        throw MQTTError.refused("publishing to '\(Topics.waiting)': the broker answers \(code)")
      }
    } catch {
      console.say("no worker could be told (\(error)); an idle one finds it by itself")
    }
  }
}

/// The user and host of this process.
private func userAtHost() -> String {
  let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(geteuid())"
  return "\(user)@\(hostName())"
}
