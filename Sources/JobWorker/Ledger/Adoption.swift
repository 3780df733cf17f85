import SystemPackage

/// The exclusive right to empty the session of a member that is gone.
public final class Adoption: Sendable {
  /// Whose session it is.
  public let member: Member
  private let members: Members
  private let path: VolumePath
  private let file: FileDescriptor
  private let keeper: LeaseKeeper

  init(_ member: Member, _ members: Members, _ path: VolumePath, _ file: FileDescriptor) {
    self.member = member
    self.members = members
    self.path = path
    self.file = file
    keeper = members.lease.keeping(file, {})
  }

  deinit {
    keeper.cancel()
    try? file.close()
  }

  /// The session is empty and gone: removes the member, unless its owner came back meanwhile.
  public func complete() throws(VolumeError) {
    let file = members.file(of: member.worker)
    if try members.read(file)?.process == member.process { try DurableFile.remove(file) }
    try abandon()
  }

  /// Leaves the member to the next.
  public func abandon() throws(VolumeError) {
    keeper.cancel()
    try DurableFile.remove(path)
  }
}
