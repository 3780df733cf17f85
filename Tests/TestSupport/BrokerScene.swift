import Foundation
import SystemPackage

extension Broker {
  /// Runs `body` with a broker of its own, and stops the broker.
  public static func running(_ options: Options = Options(), _ body: (Broker) async throws -> Void) async throws {
    await Seats.all.take()
    defer { Seats.all.leave() }
    let name = "broker-\(UUID().uuidString.prefix(8))"
    let folder = FilePath(FileManager.default.temporaryDirectory.path).appending(name)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    let broker = try Broker(options, in: folder)
    do {
      try await broker.start()
      try await body(broker)
    } catch {
      try? await broker.kill()
      throw error
    }
    try await broker.kill()
  }
}
