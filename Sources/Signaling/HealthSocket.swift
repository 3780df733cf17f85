private import CLinux
private import Dispatch
private import FoundationEssentials
private import Glibc
package import Jobs
package import SystemPackage
package import Volume

/// A worker's report to processes on its own host: its status, and whether it is connected.
package struct HealthReport: Codable, Equatable, Sendable {
  /// The status as it would be published over MQTT.
  package var status: WorkerStatus
  /// Whether the control session is connected.
  package var connected: Bool
  /// How many seconds the worker has been looking at the volume or at a request, if that is longer than it may take.
  /// Usually the volume hangs.
  package var stalledSeconds: Int?

  /// A report of `status`.
  package init(status: WorkerStatus, connected: Bool, stalledSeconds: Int? = nil) {
    self.status = status
    self.connected = connected
    self.stalledSeconds = stalledSeconds
  }

  /// Whether the worker is healthy: it has a job or a connection, and does not stall.
  package var isWell: Bool { stalledSeconds == nil && (connected || status.state == .busy) }
}

/// An abstract Unix socket (unix(7)) on which a worker reports its health.
///
/// It needs no port, no writable folder and no broker. It belongs to the network namespace, so a container's health
/// check finds the worker of that container. Its name is made of the workspaces folder and the worker's id, so several
/// workers can have one each. It tells only what the worker also tells over MQTT.
package final class HealthSocket: Sendable {
  private let name: String
  // Set once, before anybody connects.
  private nonisolated(unsafe) var source: (any DispatchSourceRead)?

  /// The socket of the worker `id` with its workspaces in `folder`. Throws when there is no such folder.
  package init(_ id: WorkerID, workspaces folder: FilePath) throws(VolumeError) {
    var status = stat()
    guard stat(folder.string, &status) == 0 else { throw VolumeError("looking at", folder, Errno(rawValue: errno)) }
    // An address has 108 bytes (unix(7)), and an id has up to 128: so the name holds a part of the id, and a hash.
    let hash = id.text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    name = "mqtt-fs-worker/\(status.st_dev):\(status.st_ino)/\(id.text.prefix(24))-\(String(hash, radix: 16))"
  }

  // MARK: The worker's end

  /// Reports from now on until the process ends. Throws when another process has the name.
  package func listen(_ report: @escaping @Sendable () -> HealthReport) throws(Errno) {
    let listener = linux_local_socket()
    guard listener >= 0, withAddress({ bind(listener, $0, $1) }) == 0, Glibc.listen(listener, 8) == 0 else {
      let cause = Errno(rawValue: errno)
      close(listener)
      throw cause
    }
    let source = DispatchSource.makeReadSource(fileDescriptor: listener, queue: DispatchQueue(label: "health"))
    source.setEventHandler {
      while true {
        let peer = linux_accept(listener)
        guard peer >= 0 else {
          // Without a free descriptor the peer stays in the queue, and this is called again at once.
          if errno == EMFILE || errno == ENFILE { usleep(100_000) }
          return
        }
        // The report fits into the socket's empty buffer, so sending does not block.
        if let bytes = try? JSONEncoder().encode(report()) {
          _ = bytes.withUnsafeBytes { linux_send(peer, $0.baseAddress, $0.count) }
        }
        close(peer)
      }
    }
    source.resume()
    self.source = source
  }

  // MARK: The other end

  /// Waits for the worker's report. `nil` when no worker answers within `limit`. Any user can take the name, so only a
  /// process of this user or of root is trusted.
  package func ask(within limit: Duration) -> HealthReport? {
    let deadline = ContinuousClock.now + limit
    repeat {
      if let report = askOnce(until: deadline) { return report }
      usleep(50_000)
    } while ContinuousClock.now < deadline
    return nil
  }

  private func askOnce(until deadline: ContinuousClock.Instant) -> HealthReport? {
    let peer = linux_local_socket()
    guard peer >= 0 else { return nil }
    defer { close(peer) }
    guard withAddress({ connect(peer, $0, $1) }) == 0, isTrusted(peer) else { return nil }
    var bytes: [UInt8] = []
    while bytes.count < 64 << 10 {
      var descriptor = pollfd(fd: peer, events: Int16(POLLIN), revents: 0)
      let left = (deadline - .now) / .milliseconds(1)
      guard left > 0, poll(&descriptor, 1, Int32(min(left, 1_000_000_000)) + 1) > 0 else { return nil }
      let chunk = [UInt8](unsafeUninitializedCapacity: 4096) { $1 = max(0, read(peer, $0.baseAddress, $0.count)) }
      guard !chunk.isEmpty else { break }
      bytes += chunk
    }
    return try? JSONDecoder().decode(HealthReport.self, from: Data(bytes))
  }

  private func isTrusted(_ peer: Int32) -> Bool {
    var user: UInt32 = 0
    return linux_peer_user(peer, &user) == 0 && (user == 0 || user == geteuid())
  }

  private func withAddress<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // A leading NUL makes the address abstract.
    let path = [0] + Array(name.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.prefix($0.count)) }
    let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + path.count
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
    }
  }
}
