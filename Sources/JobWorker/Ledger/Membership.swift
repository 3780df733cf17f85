private import Glibc
import SystemPackage

/// This worker's place among the members, kept by a lease.
public final class Membership: Sendable {
  private let member: Member
  private let members: Members
  private let path: VolumePath
  private let file: FileDescriptor
  private let keeper: LeaseKeeper

  init(_ member: Member, _ members: Members, _ path: VolumePath) throws(VolumeError) {
    self.member = member
    self.members = members
    self.path = path
    file = try onVolume("opening", path) { () throws(Errno) in try path.openFile(O_RDWR) }
    keeper = members.lease.keeping(file, {})
  }

  deinit {
    keeper.cancel()
    try? file.close()
  }

  /// Says how this process ended: whether the worker comes back. The lease runs from now.
  public func end(_ state: Member.State) throws(VolumeError) {
    keeper.cancel()
    var member = member
    member.state = state
    try members.write(member, path)
  }
}
