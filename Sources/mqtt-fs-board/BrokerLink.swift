import Client
import Jobs
import Logging
import Settings
import Volume

/// The board's connection to the broker: it watches the workers, and asks one to end a job.
struct BrokerLink: Sendable {
  /// The state of the connection.
  struct State: Encodable, Equatable, Sendable {
    var isConnected: Bool
    /// Why there is none.
    var problem: String?
  }

  /// What the watch tells.
  struct News: Sendable {
    var state: State
    var roster: Roster?
  }

  private let options: BrokerOptions
  private let environment: Environment
  private let topics: Topics
  private let directory: JobsDirectory
  private let logger: Logger

  init(
    options: BrokerOptions, environment: Environment, topics: Topics, directory: JobsDirectory, logger: Logger
  ) {
    self.options = options
    self.environment = environment
    self.topics = topics
    self.directory = directory
    self.logger = logger
  }

  /// Passes the workers to `tell` as they change, and connects again when the connection is lost.
  func watch(_ tell: @Sendable (News) -> Void) async {
    while true {
      do {
        try await options.withClient("board", environment, logger: logger, persisting: true) { client in
          try await RollCall(client, patience: .seconds(2)).watch { roster in
            tell(News(state: State(isConnected: true), roster: roster))
          }
        }
        tell(News(state: State(isConnected: false, problem: "the broker has ended the connection")))
      } catch {
        tell(News(state: State(isConnected: false, problem: "\(error)")))
      }
      try? await Task.sleep(for: .seconds(5))
    }
  }

  /// Asks the worker of `id` to end it.
  func cancel(_ id: JobID) async throws -> CancelRequest.Outcome {
    var options = options
    options.connectTimeout = options.connectTimeout ?? Timespan(.seconds(5))
    return try await options.withClient("board", environment, logger: logger) { client in
      try await CancelRequest(id, by: "board", over: client, topics: topics, volume: directory).send(.none)
    }
  }
}
