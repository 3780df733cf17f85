import Glibc

/// The user and group that files are made for.
public struct Owner: Hashable, Sendable {
  /// The user id (uid_t).
  public let user: UInt32

  /// The group id (gid_t).
  public let group: UInt32

  /// An owner by numbers.
  public init(user: UInt32, group: UInt32) {
    self.user = user
    self.group = group
  }

  /// Gives an open file or folder to them, if this process may: root has no right to it in some containers, and on volumes that
  /// take it for nobody (CAP_CHOWN, capabilities(7); root_squash, exports(5)). After modes and times, which only an owner sets.
  func own(_ descriptor: Int32) {
    fchown(descriptor, user, group)
  }
}
