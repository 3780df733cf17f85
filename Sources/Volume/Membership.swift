private import Glibc
private import Synchronization
package import SystemPackage

/// This worker's place among the members, kept by a lease.
package final class Membership: Sendable {
  private struct State {
    var member: Member
    var place: Place
  }

  /// The file as it was written last, and who touches it.
  private struct Place {
    let file: FileDescriptor
    let keeper: LeaseRenewer

    init(_ members: Members, _ path: VolumePath) throws(VolumeError) {
      file = try onVolume("opening", path) { () throws(Errno) in try path.openFile(O_RDWR) }
      keeper = members.lease.keeping(file, {})
    }

    func leave() {
      keeper.cancel()
      try? file.close()
    }
  }

  private let state: Mutex<State>
  private let members: Members
  private let path: VolumePath

  init(_ member: Member, _ members: Members, _ path: VolumePath) throws(VolumeError) {
    self.members = members
    self.path = path
    state = Mutex(State(member: member, place: try Place(members, path)))
  }

  deinit {
    state.withLock { $0.place.leave() }
  }

  /// Says how this process ended: whether the worker comes back. The lease runs from now.
  package func end(_ end: Member.State) throws(VolumeError) {
    try state.withLock { state throws(VolumeError) in
      state.place.keeper.cancel()
      state.member.state = end
      try end == .left ? members.leave(state.member, path) : members.write(state.member, path)
    }
  }

  /// Says that the broker has begun a new session for this worker.
  package func renew(epoch: String) throws(VolumeError) {
    try state.withLock { state throws(VolumeError) in
      state.member.epoch = epoch
      try members.write(state.member, path)
      // It is another file now, which has to be touched instead.
      let place = try Place(members, path)
      state.place.leave()
      state.place = place
    }
  }
}

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
