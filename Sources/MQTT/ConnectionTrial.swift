private import Glibc

extension Mosquitto {
  /// Why no connection was had, where the library says `error`.
  ///
  /// Version 2.1 asks for the address of the socket that it did not get, and the answer to that (`EBADF`) is what is left. So it is
  /// tried once more without the library, for a second for each address.
  func reason(of error: Int32) -> Int32 {
    guard error == EBADF else { return error }
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var first: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(options.host, "\(options.port)", &hints, &first) == 0 else { return error }
    defer { freeaddrinfo(first) }
    var reason = error
    var next = first
    while let address = next?.pointee {
      reason = reasonAgainst(address)
      next = address.ai_next
    }
    return reason
  }

  /// Of a connection that can be had by now, that it could not be had before.
  private func reasonAgainst(_ address: addrinfo) -> Int32 {
    let trial = Glibc.socket(
      address.ai_family, address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue),
      address.ai_protocol)
    guard trial >= 0 else { return errno }
    defer { close(trial) }
    if Glibc.connect(trial, address.ai_addr, address.ai_addrlen) == 0 { return ECONNREFUSED }
    guard errno == EINPROGRESS else { return errno }
    var entry = pollfd(fd: trial, events: Int16(POLLOUT), revents: 0)
    guard poll(&entry, 1, 1000) > 0 else { return ETIMEDOUT }
    var cause: Int32 = 0
    var count = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(trial, SOL_SOCKET, SO_ERROR, &cause, &count)
    return cause == 0 ? ECONNREFUSED : cause
  }
}
