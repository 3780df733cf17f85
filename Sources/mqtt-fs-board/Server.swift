import Dispatch
import FlyingFox
import FlyingSocks
import Glibc
import Synchronization

/// The HTTP server.
///
/// FlyingFox ends when accept(2) fails, as it does when there are no more descriptors: then it is started again.
struct Server {
  private let site: Site
  private let address: ListenAddress
  private let begun: @Sendable (_ port: UInt16) -> Void

  init(_ site: Site, on address: ListenAddress, begun: @escaping @Sendable (UInt16) -> Void) {
    (self.site, self.address, self.begun) = (site, address, begun)
  }

  /// Serves until the process ends. Throws ``Misconfiguration`` if the address cannot be had at the start.
  func run() async throws {
    var port = address.port
    var isFirst = true
    while true {
      do {
        port = try await serve(port: port, isFirst: isFirst)
      } catch let failure as SocketError where isFirst {
        throw Misconfiguration("cannot listen on \(address): \(cause(failure)); choose another with --listen")
      } catch {
        complain("the server failed (\(error)), and starts again")
      }
      isFirst = false
      try await Task.sleep(for: .seconds(1))
    }
  }

  private func configuration(_ address: some SocketAddress, _ pool: PatientPool) -> HTTPServer.Configuration {
    HTTPServer.Configuration(address: address, pool: pool, logger: .disabled)
  }

  private func cause(_ failure: SocketError) -> String {
    guard case .failed(_, _, let message) = failure else { return "\(failure)" }
    return message
  }

  /// Returns the port when the server has ended after it had begun.
  private func serve(port: UInt16, isFirst: Bool) async throws -> UInt16 {
    let pool = PatientPool(HTTPServer.defaultPool())
    let sizes = RequestSizes()
    let server = HTTPServer(
      config: configuration(try address.socketAddress(port: port), pool),
      handler: ClosureHTTPHandler { [site] request in
        pool.isAnswered(request.remoteAddress)
        sizes.isAnswered(request.remoteAddress)
        return await site.answer(request)
      })
    let serving = Task { try await server.run() }
    let failure = Mutex<(any Error)?>(nil)
    let watching = Task {
      do { try await serving.value } catch { failure.withLock { $0 = error } }
    }
    while await !server.isListening {
      if let error = failure.withLock({ $0 }) { throw error }
      try await Task.sleep(for: .milliseconds(5))
    }
    var actual = port
    if let bound = await server.listeningAddress?.port { actual = bound }
    let watch = sizes.watch(port: actual)
    defer { watch.cancel() }
    if isFirst { begun(actual) }
    await watching.value
    return actual
  }
}

/// A pool of sockets that are not waited for without end.
///
/// FlyingFox waits for ever for a request that comes byte by byte, or for a client that does not read. Here a request must
/// be complete within a time, and so must each write.
struct PatientPool: AsyncSocketPool {
  private static let longestRequest = Duration.seconds(75)
  private static let longestWrite = Duration.seconds(30)

  private let pool: any AsyncSocketPool
  private let begun = Begun()

  /// When each connection began to wait for its next request.
  private final class Begun: Sendable {
    let times = Mutex<[HTTPRequest.Address: ContinuousClock.Instant]>([:])
  }

  init(_ pool: any AsyncSocketPool) {
    self.pool = pool
  }

  func prepare() async throws { try await pool.prepare() }

  func run() async throws { try await pool.run() }

  /// Notes that a request of `peer` is complete.
  func isAnswered(_ peer: HTTPRequest.Address?) {
    if let peer { begun.times.withLock { _ = $0.removeValue(forKey: peer) } }
  }

  func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
    guard let peer = (try? socket.remotePeer()).map(HTTPRequest.Address.make) else {
      // The listening socket.
      return try await pool.suspendSocket(socket, untilReadyFor: events)
    }
    var limit = PatientPool.longestWrite
    if events.contains(.read) {
      let start = begun.times.withLock { times in
        if times.count > 10_000 { times = times.filter { $0.value + PatientPool.longestRequest > .now } }
        let start = times[peer] ?? .now
        times[peer] = start
        return start
      }
      limit = start + PatientPool.longestRequest - .now
    }
    do {
      try await wait(for: socket, events, within: limit)
    } catch {
      isAnswered(peer)
      throw error
    }
  }

  private func wait(for socket: Socket, _ events: Socket.Events, within limit: Duration) async throws {
    guard limit > .zero else { throw SocketError.disconnected }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.suspendSocket(socket, untilReadyFor: events) }
      group.addTask {
        try await Task.sleep(for: limit)
        throw SocketError.disconnected
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }
}
