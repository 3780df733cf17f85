package import SystemPackage

/// The exclusive right to empty the session of a member that is gone.
package final class Adoption: Sendable {
  /// Whose session it is.
  package let member: Member
  private let members: Members
  private let place: KnownFile
  private let file: FileDescriptor
  private let keeper: LeaseRenewer

  package init(_ member: Member, _ members: Members, _ path: VolumePath, _ file: FileDescriptor) throws(VolumeError) {
    self.member = member
    self.members = members
    place = try KnownFile(path, file, [])
    self.file = file
    keeper = members.lease.keeping(file, {})
  }

  deinit {
    keeper.cancel()
    try? file.close()
  }

  /// The session is empty and gone: removes the member, unless its owner came back meanwhile.
  package func complete() throws(VolumeError) {
    for path in [members.file(of: member.worker), members.leftFile(of: member.worker)] {
      guard let file = try KnownFile.read(path), Member(json: file.bytes)?.process == member.process else { continue }
      try file.remove()
    }
    try abandon()
  }

  /// Leaves the member to the next.
  package func abandon() throws(VolumeError) {
    keeper.cancel()
    try place.remove()
  }
}
