import ArgumentParser
import Client
import FoundationEssentials
import Glibc
import Jobs
import MQTT
import Settings
import Synchronization
import SystemPackage
import Volume

/// `mqtt-fs-worker doctor`: examines a broker and a volume.
struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tests whether the broker and the volume have the properties that workers need; exit status 1 if not.",
    discussion: """
      It publishes and subscribes only below --topic, with client ids that begin with 'doctor-', and writes to temporary \
      folders, in .worker/ on the volume and in the workspaces folder. It removes all of them, and takes no job.

      'NO' marks a missing property without which jobs could be lost. 'no' marks a missing property that is only useful.

      After TERM or INT it completes the current test and cleans up; a second signal ends it at once.
      """)

  /// The examined things.
  enum Target: String, ExpressibleByArgument, CaseIterable { case broker, volume, all }

  @Argument(help: "The thing to test: broker, volume, or all.")
  var target = Target.all

  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  @OptionGroup var volume: VolumeOptions
  @OptionGroup var workspaces: WorkspacesOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The topic below which it publishes and subscribes. (default: doctor-<random> below the results topic)",
      valueName: "topic"))
  var topic: String?

  @OptionGroup var topics: TopicOptions
  @OptionGroup var expiry: SessionExpiryOption

  @Option(
    help: ArgumentHelp(
      "The same volume through another mount, as of a second host: also test what one sees of the other.",
      valueName: "folder"), completion: .directory)
  var otherMount: String?

  @Flag(help: "Print the findings as JSON.")
  var json = false

  func run() async throws {
    let course = Course(shows: json ? .nothing : .lines)
    try await Interrupts().handled(by: course.interrupt) { try await examine(.current, course) }
    if let failure = course.failure { throw failure }
    guard !course.isInterrupted else { throw ExitStatus.interrupted }
    let isFit = !course.findings.contains(where: \.isFatal)
    if json {
      try Output.write(json: jsonText(Diagnosis(fit: isFit, findings: course.findings)))
    } else {
      try Output.write(isFit ? "fit\n" : "not fit: see NO\n")
    }
    guard isFit else { throw ExitStatus(rawValue: 1) }
  }

  private func examine(_ environment: Environment, _ course: Course) async throws {
    if target != .volume {
      let name = "doctor-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
      var session = try broker.session(name, environment)
      session.sessionExpiry = try expiry.seconds(environment)
      Secrets.wipe()
      let prefix = try topic ?? "\(topics.results(environment))/\(name)"
      let patience = try broker.giveUpAfter(environment) ?? .seconds(10)
      await BrokerExamination(session, prefix: prefix, giveUpAfter: patience, logger: try log.logger(environment))
        .run(while: { !course.isInterrupted }, course.report)
    }
    if target != .broker, !course.isInterrupted {
      let volume = VolumeExamination(
        jobs: volume.folder(environment), workspaces: workspaces.folder(environment),
        otherMount: otherMount.map { FilePath($0) })
      try await onThread { volume.run(while: { !course.isInterrupted }, course.report) }
    }
  }
}

/// The findings so far, and whether the examination was interrupted.
private final class Course: Sendable {
  /// The output of a finding as soon as it is known.
  enum Shown: Sendable { case lines, nothing }

  private let shown: Shown
  private let state = Mutex(State())

  private struct State {
    var findings: [Finding] = []
    var isInterrupted = false
    /// The error that stopped the output.
    var failure: (any Error)?
  }

  init(shows shown: Shown) {
    self.shown = shown
  }

  var findings: [Finding] { state.withLock { $0.findings } }

  var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

  var failure: (any Error)? { state.withLock { $0.failure } }

  /// Adds a finding and shows it. If it cannot be shown, the examination ends as if it were interrupted.
  func report(_ finding: Finding) {
    state.withLock { state in
      state.findings.append(finding)
      guard shown == .lines, state.failure == nil else { return }
      do {
        try Output.write("\(finding.line)\n")
      } catch {
        (state.failure, state.isInterrupted) = (error, true)
      }
    }
  }

  @Sendable func interrupt() {
    let isSecond = state.withLock { state in
      defer { state.isInterrupted = true }
      return state.isInterrupted
    }
    guard !isSecond else { exit(ExitStatus.interrupted.rawValue) }
    complain("mqtt-fs-worker: ending when this test has cleaned up; a second signal ends it at once")
  }
}

private struct Diagnosis: Encodable {
  let fit: Bool
  let findings: [Finding]
}

extension Finding {
  /// `broker  yes  redelivery  a request that …`
  fileprivate var line: String {
    let mark =
      switch verdict {
      case .yes: "yes"
      case .no: isFatal ? "NO" : "no"
      case .unknown: isFatal ? "NO?" : "?"
      }
    let columns = [(subject.rawValue, 10), (mark, 3), (name, 23)]
    return columns.map { $0.padded(to: $1) }.joined(separator: "  ") + "  \(detail.onOneLine)"
  }
}
