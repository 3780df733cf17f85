import JobWorker
import MQTT

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

  init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// What an error that ends the program means to whoever started it.
  init(_ error: any Error) {
    switch error {
    case let status as ExitStatus: self = status
    case is Unwell: self.init(rawValue: 1)
    case let error as Unpublished: self = ExitStatus(error.cause) == .refused ? .refused : .unpublished
    case MQTTError.unreachable: self = .unreachable
    case MQTTError.refused: self = .refused
    case MQTTError.tls, MQTTError.clientIDInUse, MQTTError.unsupported, is Misconfiguration: self = .misconfigured
    case is VolumeError: self = .volume
    case is NoWorkspace: self = .noWorkspace
    case is InvalidJob: self = .badPayload
    default: self = .defect
    }
  }
}
