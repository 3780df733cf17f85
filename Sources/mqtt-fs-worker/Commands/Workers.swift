import ArgumentParser
import Client
import Glibc
import Settings

/// `mqtt-fs-worker workers`: lists the workers at a broker.
struct Workers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the live workers and those that were lost.",
    discussion: """
      The command finds workers by their retained statuses at the broker, and by their answers to a health-check. It marks \
      a live worker that does not answer. It does not list a worker that was stopped.
      """)

  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Log") var log: LogOptions

  @Flag(help: "Print a JSON array; with --watch, one line for each change.")
  var json = false

  @Flag(help: "Continue, and show changes.")
  var watch = false

  @Option(help: ArgumentHelp("How long to wait for answers. (default: 2s)", valueName: "duration"))
  var wait: Timespan?

  func run() async throws {
    let environment = Environment.current
    let patience = wait?.duration ?? .seconds(2)
    try await broker.withClient("workers", environment, logger: try log.logger(environment), persisting: watch) {
      client in
      let call = RollCall(client, patience: patience)
      guard watch else { return try show(try await call.take()) }
      var view = RosterView(json ? .json : isatty(STDOUT_FILENO) == 1 ? .screen : .lines)
      try await call.watch { try view.show($0) }
    }
  }

  private func show(_ roster: Roster) throws {
    let table = RosterTable(roster)
    if json {
      try Output.write(json: table.json + "\n")
    } else {
      try Output.write(table.text)
      complain(table.summary)
    }
  }
}

/// The output of a changing roster.
struct RosterView {
  enum Form {
    /// The whole table, redrawn in place.
    case screen
    /// A line for each worker that changed.
    case lines
    /// The same, as JSON.
    case json
  }

  private let form: Form
  private var shown: [String: String] = [:]

  init(_ form: Form) {
    self.form = form
  }

  mutating func show(_ roster: Roster) throws {
    let table = RosterTable(roster)
    switch form {
    case .screen:
      // Move the cursor home and clear the screen (ECMA-48, CUP and ED).
      try Output.write("\u{1B}[H\u{1B}[2J\(table.text)\(table.summary)\n")
    case .lines, .json:
      for row in table.rows where shown[row.worker] != row.stateText {
        shown[row.worker] = row.stateText
        try write(row.columns.filter { !$0.isEmpty }.joined(separator: "  "), json: row.json)
      }
      for gone in shown.keys.filter({ worker in !table.rows.contains { $0.worker == worker } }) {
        shown[gone] = nil
        try write("\(gone)  gone", json: "{\"state\":\"gone\",\"workerId\":\"\(gone)\"}")
      }
    }
  }

  private func write(_ line: String, json: String) throws {
    if form == .json {
      try Output.write(json: "\(json)\n")
    } else {
      try Output.write("\(line)\n")
    }
  }
}
