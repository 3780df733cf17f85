private import Glibc

/// What becomes of somebody who writes to a pipe or a connection whose reader has left.
public enum BrokenPipe {
  /// Has the call say so (write(2), `EPIPE`) instead of ending the process (signal(7), `SIGPIPE`). It is so for the whole process
  /// from then on, and what it starts wants the default again.
  ///
  /// A ``Session`` does this when it begins: OpenSSL writes to a connection that the broker has closed, and libmosquitto 2.1
  /// also to one that it has shut down itself.
  public static func isAnError() {
    signal(SIGPIPE, SIG_IGN)
  }
}
