private import Glibc
private import Synchronization
import SystemPackage

/// This worker's place among the members, kept by a lease.
public final class Membership: Sendable {
  private let member: Mutex<Member>
  private let members: Members
  private let path: VolumePath
  private let file: FileDescriptor
  private let keeper: LeaseKeeper

  init(_ member: Member, _ members: Members, _ path: VolumePath) throws(VolumeError) {
    self.member = Mutex(member)
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
    try write { $0.state = state }
  }

  /// Says that the broker has begun a new session for this worker.
  public func renew(epoch: String) throws(VolumeError) {
    try write { $0.epoch = epoch }
  }

  private func write(_ change: (inout Member) -> Void) throws(VolumeError) {
    let changed = member.withLock { member in
      change(&member)
      return member
    }
    try members.write(changed, path)
  }
}
