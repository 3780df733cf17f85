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
}
