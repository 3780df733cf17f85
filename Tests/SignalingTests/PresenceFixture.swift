import Foundation
import MQTT
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Signaling
@testable import Volume
@testable import Worker

extension Presence {
  /// The presence of a worker-01 over `session`, with the folder of temporary files as its volume.
  static func testing(_ session: Session, heartbeat: Duration = .seconds(3600)) throws -> Presence {
    let identity = WorkerIdentity(id: try #require(WorkerID("worker-01", host: "")), version: "1.2.3")
    let folder = FilePath(FileManager.default.temporaryDirectory.path)
    return Presence(
      session, Settings(worker: identity, filter: "jobs/pending", heartbeat: heartbeat, version: .v5),
      directory: JobsDirectory(folder), workspaces: folder)
  }
}
