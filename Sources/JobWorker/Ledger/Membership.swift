private import Synchronization
import SystemPackage

/// This worker's place among the members, kept by a lease.
public final class Membership: Sendable {
  private let member: Mutex<Member>
  private let members: Members
  private let path: FilePath
  private let file: FileDescriptor
  private let keeper: LeaseKeeper

  init(_ member: Member, _ members: Members, _ path: FilePath) throws(VolumeError) {
    self.member = Mutex(member)
    self.members = members
    self.path = path
    do {
      file = try FileDescriptor.open(path, .readWrite, options: .closeOnExec)
    } catch {
      throw VolumeError("opening", path, errno(error))
    }
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
