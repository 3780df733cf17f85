import Foundation
import MQTT
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Signaling
@testable import Steps
@testable import Volume
@testable import Worker

extension Presence {
  /// The presence of a worker-01 over `session`, with the folder of temporary files as its volume.
  static func testing(_ session: Session, of state: WorkerState, heartbeat: Duration = .seconds(3600)) throws
    -> Presence
  {
    let folder = FilePath(FileManager.default.temporaryDirectory.path)
    return Presence(
      session, Settings(worker: try .testing(), filters: ["jobs/pending"], heartbeat: heartbeat, version: .v5),
      of: state,
      directory: JobsDirectory(folder), workspaces: folder)
  }
}

extension WorkerIdentity {
  static func testing() throws -> WorkerIdentity {
    WorkerIdentity(id: try #require(WorkerID("worker-01", host: "")), version: "1.2.3")
  }
}

extension WorkerState {
  /// The state of a worker-01 of this volume.
  static func testing(_ volume: VolumeFixture) throws -> WorkerState {
    WorkerState(try volume.ledger(), stop: StopRequest(), logger: silent)
  }
}
