private import Glibc

/// Keeps a connection open for a moment after DISCONNECT, for the broker's last packets.
///
/// The library closes its socket at once. The kernel answers a PUBACK that arrives then with a reset, and mosquitto
/// (2.0.11) ends the connection at its next write, before it has read DISCONNECT: it publishes the Last Will of a
/// client that disconnected cleanly.
struct LingeringClose {
  private let socket: Int32

  /// Holds the connection `socket`, which is not closed yet.
  init(_ socket: Int32) {
    self.socket = fcntl(socket, F_DUPFD_CLOEXEC, 0)
  }

  /// Waits until the broker has closed the connection, too, but no longer than `limit`.
  func wait(atMost limit: Duration) {
    guard socket >= 0 else { return }
    defer { close(socket) }
    shutdown(socket, Int32(SHUT_WR))
    let deadline = ContinuousClock.now + limit
    var answers = [UInt8](repeating: 0, count: 1024)
    var isOpen = true
    while isOpen {
      var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      let left = (deadline - .now) / .milliseconds(1)
      guard left > 0, poll(&descriptor, 1, Int32(left) + 1) > 0 else { return }
      isOpen = recv(socket, &answers, answers.count, Int32(MSG_DONTWAIT)) > 0
    }
  }
}
