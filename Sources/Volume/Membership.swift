private import Glibc
private import Jobs
private import Synchronization
package import SystemPackage

/// This worker's member file, kept by a lease.
package final class Membership: Sendable {
  private struct State {
    var member: Member
    /// `nil` when the membership has ended.
    var place: Place?
  }

  /// The current file, and its lease renewer.
  private struct Place {
    let file: FileDescriptor
    let renewer: LeaseRenewer

    init(_ members: Members, _ path: VolumePath) throws(VolumeError) {
      file = try onVolume("opening", path) { () throws(Errno) in try path.openFile(O_RDWR) }
      renewer = members.lease.keeping(file, {})
    }

    func leave() {
      renewer.cancel()
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
    state.withLock { $0.place?.leave() }
  }

  /// Writes how this process ended: whether the worker comes back. The lease starts now.
  package func end(_ end: Member.State) throws(VolumeError) {
    try state.withLock { state throws(VolumeError) in
      // SMB renames no file that is open.
      state.place?.leave()
      state.place = nil
      state.member.state = end
      try end == .left ? members.leave(state.member, path) : members.write(state.member, path)
    }
  }

  /// Whether another worker takes this one for dead, and its session over.
  package var isAdopted: Bool {
    get throws(VolumeError) { try members.isAdopted(state.withLock(\.member)) }
  }

  /// Writes that the broker has started a new session for this worker.
  package func renew(epoch: String) throws(VolumeError) {
    try state.withLock { state throws(VolumeError) in
      state.member.epoch = epoch
      try members.write(state.member, path)
      // It is another file now: touch this one instead.
      let place = try Place(members, path)
      state.place?.leave()
      state.place = place
    }
  }
}

/// The exclusive right to empty the session of a departed member.
package final class Adoption: Sendable {
  /// The departed member.
  package let member: Member
  private let members: Members
  private let place: KnownFile
  private let file: FileDescriptor
  private let renewer: LeaseRenewer

  package init(_ member: Member, _ members: Members, _ path: VolumePath, _ file: FileDescriptor) throws(VolumeError) {
    self.member = member
    self.members = members
    place = try KnownFile(path, file, [])
    self.file = file
    renewer = members.lease.keeping(file, {})
  }

  deinit {
    renewer.cancel()
    try? file.close()
  }

  /// Removes the member, unless its worker has come back. Call it when the session is empty and gone.
  package func complete() throws(VolumeError) {
    for path in [members.file(of: member.name), members.leftFile(of: member.name)] {
      guard let file = try KnownFile.read(path), decodedJSON(Member.self, file.bytes)?.process == member.process else {
        continue
      }
      try file.remove()
    }
    try abandon()
  }

  /// Leaves the member to another worker.
  package func abandon() throws(VolumeError) {
    renewer.cancel()
    try place.remove()
  }
}
