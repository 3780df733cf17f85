import ArgumentParser
import Client
import Glibc
import Jobs
import MQTT
import Settings
import Volume

/// `mqtt-fs-worker approve <id>`: approves or rejects a request that waits for approval.
struct Approve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Approves or rejects a request that waits for approval. Without an id, lists these requests.",
    discussion: """
      The command works on the volume; any worker of the request's topic then takes the job. It shows on stderr the steps \
      that it approves, of this request and this job.json; if job.json has changed when the job starts, the request waits \
      again. On a terminal it asks first. If the options or the environment name a broker, it notifies the workers at once.

      Exit status: 64 if several requests match, 65 if the request has another digest than --digest or cannot be run, 66 if \
      no request matches, 75 if another person has just decided.
      """)

  @Argument(help: ArgumentHelp("The job or the key of its request, or the beginning of one.", valueName: "id"))
  var id: String?

  @Flag(help: "Reject the request: no worker runs it, and its sender is notified.")
  var reject = false

  @Option(
    help: ArgumentHelp("The reason, for the audit log and for the sender of a rejected request.", valueName: "text"))
  var reason: String?

  @Option(help: ArgumentHelp("The name of the person who decides. (default: the user and the host)", valueName: "name"))
  var by: String?

  @Option(
    help: ArgumentHelp(
      "Decide only if the request has this digest; the event awaiting-approval states it.", valueName: "sha256:hex"))
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
    guard await isConfirmed(console) else {
      console.say("the request still waits for approval")
      throw ExitStatus.declined
    }
    guard try store.decide(approval, on: request) else {
      console.say("another person has just decided about job \(request.id)")
      throw ExitStatus.tryAgain
    }
    console.say("job \(request.id) is \(approval.decision.rawValue) by \(approval.by.escaped(upTo: 200))")
    await notifyWorkers(environment, console)
  }

  // MARK: The request

  /// Finds the request by its job, its key, or the beginning of one: exactly one must match.
  private func choose(_ name: String, among parked: [ParkedRequest], _ console: Console) throws -> ParkedRequest {
    let key = { (request: ParkedRequest) in request.envelope.requestId.text }
    let tries: [(ParkedRequest) -> Bool] = [
      { $0.id.text == name }, { key($0) == name }, { $0.id.text.hasPrefix(name) || key($0).hasPrefix(name) },
    ]
    let matches = tries.lazy.map { parked.filter($0) }.first { !$0.isEmpty } ?? []
    guard let request = matches.first else {
      console.say(
        "no request that waits for approval has a job or a key that begins with '\(name.escaped)'; without an id, 'approve' lists them"
      )
      throw ExitStatus.noSuchJob
    }
    guard matches.count == 1 else {
      console.say("'\(name.escaped)' matches \(matches.count) requests; name one by its job or its key")
      for line in table(matches).split(separator: "\n") { complain(String(line)) }
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
      console.say(
        "the waiting request has the digest \(digest), and is not the one of --digest; look at it before you approve it"
      )
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
      complain("a worker could not run it: \(error)")
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
      ("subject", request.signature?.subject),
      ("start before", request.signature?.expires.description), ("folder", request.source),
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

  private func isConfirmed(_ console: Console) async -> Bool {
    guard !yes, console.canAsk else { return true }
    return await console.confirms("\(reject ? "reject" : "approve") it? [y/N]")
  }

  // MARK: The workers

  /// Notifies the workers. Without a message an idle worker finds the decision within a third of a lease.
  private func notifyWorkers(_ environment: Environment, _ console: Console) async {
    guard broker.isNamed(environment) else { return }
    var broker = broker
    broker.connectTimeout = broker.connectTimeout ?? Timespan(.seconds(3))
    do {
      try await broker.withClient("approve", environment, logger: log.logger(environment)) { client in
        for _ in 0..<Topics.waitingCopies { try await client.publish(Message(topic: Topics.waiting, payload: [])) }
      }
    } catch {
      console.say(
        "the workers could not be notified (\(error)); an idle worker finds the decision within a third of its lease")
    }
  }
}
