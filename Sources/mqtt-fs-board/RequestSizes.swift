import CLinux
import Dispatch
import FlyingFox
import FlyingSocks
import Glibc
import Synchronization

/// Ends connections that send more than any request to the board has.
///
/// FlyingFox reads a line of any length, in a time that grows with its square, and asks nobody meanwhile: a few of these
/// would occupy all threads. So a thread of its own looks at how many bytes have come since the last request was complete.
final class RequestSizes: Sendable {
  /// The most bytes of a request: browsers send far less, and no request has a body.
  static let limit: Int64 = 16 << 10

  private struct State {
    /// The bytes that had come when the last request was complete.
    var known: [HTTPRequest.Address: Int64] = [:]
    /// Whose request is complete since the last look.
    var answered: Set<HTTPRequest.Address> = []
  }

  private let state = Mutex(State())

  /// Notes that a request of `peer` is complete.
  func isAnswered(_ peer: HTTPRequest.Address?) {
    if let peer { state.withLock { _ = $0.answered.insert(peer) } }
  }

  /// Watches the connections of the server at `port` until the returned timer is canceled.
  func watch(port: UInt16) -> any DispatchSourceTimer {
    let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "request sizes"))
    timer.schedule(deadline: .now(), repeating: .milliseconds(200), leeway: .milliseconds(50))
    timer.setEventHandler { [self] in look(at: connections(of: port)) }
    timer.resume()
    return timer
  }

  private func look(at connections: [(HTTPRequest.Address, Int32)]) {
    state.withLock { state in
      var known: [HTTPRequest.Address: Int64] = [:]
      for (peer, descriptor) in connections {
        let received = linux_bytes_received(descriptor)
        let before = state.answered.contains(peer) ? received : state.known[peer] ?? 0
        known[peer] = before
        if received - before > RequestSizes.limit { linux_abort(descriptor) }
      }
      state = State(known: known)
    }
  }

  /// FlyingFox does not tell its connections: they are this process's sockets with the server's port.
  private func connections(of port: UInt16) -> [(HTTPRequest.Address, Int32)] {
    guard let folder = opendir("/proc/self/fd") else { return [] }
    defer { closedir(folder) }
    var found: [(HTTPRequest.Address, Int32)] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let descriptor = Int32(name) else { continue }
      let socket = Socket(file: Socket.FileDescriptor(rawValue: descriptor))
      guard let own = try? socket.sockname(), own.port == port, let peer = try? socket.remotePeer() else { continue }
      found.append((HTTPRequest.Address.make(from: peer), descriptor))
    }
    return found
  }
}

extension Socket.Address {
  var port: UInt16? {
    switch self {
    case .ip4(_, let port), .ip6(_, let port): port
    default: nil
    }
  }
}
