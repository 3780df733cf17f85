import Client
import FileTree
import Jobs
import MQTT
import Settings
import Volume
import Worker

/// The program's exit status (sysexits.h(3) where it has one).
struct ExitStatus: RawRepresentable, Error, Equatable {
  let rawValue: Int32

  static let usage = ExitStatus(rawValue: 64)
  static let badPayload = ExitStatus(rawValue: 65)
  static let unreachable = ExitStatus(rawValue: 69)
  static let defect = ExitStatus(rawValue: 70)
  static let noWorkspace = ExitStatus(rawValue: 73)
  static let volume = ExitStatus(rawValue: 74)
  static let unpublished = ExitStatus(rawValue: 75)
  static let refused = ExitStatus(rawValue: 77)
  static let misconfigured = ExitStatus(rawValue: 78)

  /// The id is taken.
  static let exists = ExitStatus(rawValue: 73)
  /// There is no such job.
  static let noSuchJob = ExitStatus(rawValue: 66)
  /// A temporary failure.
  static let tryAgain = ExitStatus(rawValue: 75)
  /// The user answered no.
  static let declined = ExitStatus(rawValue: 1)
  static let timedOut = ExitStatus(rawValue: 124)
  /// 128+n, as a shell reports SIGTERM.
  static let terminated = ExitStatus(rawValue: 143)
  /// 128+n, as a shell reports SIGINT.
  static let interrupted = ExitStatus(rawValue: 130)
  /// 128+n, as a shell reports SIGPIPE: the output has no reader any more.
  static let brokenPipe = ExitStatus(rawValue: 141)

  init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// The exit status for an error that ends the program.
  init(_ error: any Error) {
    switch error {
    case let status as ExitStatus: self = status
    case is Unhealthy: self.init(rawValue: 1)
    case let error as Unpublished: self = ExitStatus(error.cause) == .refused ? .refused : .unpublished
    case MQTTError.unreachable: self = .unreachable
    case MQTTError.refused: self = .refused
    case MQTTError.tls, MQTTError.clientIDInUse, MQTTError.unsupported, is Misconfiguration: self = .misconfigured
    case is VolumeError, is FileTreeError, is NoVolume, is OutputFailure: self = .volume
    case is JobExists: self = .exists
    case is JobIsBusy, is JobInUse: self = .tryAgain
    case is NoWorkspace: self = .noWorkspace
    case is InvalidInput: self = .badPayload
    default: self = .defect
    }
  }
}

extension ExitStatus {
  /// The exit status of `submit` for a result: the job's exit code, or a status that says why there is none.
  ///
  /// Any client may have published the message. A failure never becomes 0, not even a code that exit(3) would cut to 0.
  init(_ result: ResultMessage) {
    switch result.status {
    case .success where result.exitCode ?? 0 == 0: self.init(rawValue: 0)
    case .success, .failed:
      let code = result.exitCode ?? 1
      self.init(rawValue: (1...255).contains(code) ? Int32(code) : 1)
    case .timeout: self = .timedOut
    case .canceled: self = .interrupted
    case .error: self.init(rawValue: 125)
    case .lost: self = .tryAgain
    case .rejected: self = .badPayload
    }
  }
}
