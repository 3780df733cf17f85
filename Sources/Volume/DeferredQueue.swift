private import FoundationEssentials
private import Glibc
package import Jobs
import SystemPackage

/// A request that was put down on the volume.
package struct DeferredRequest: Sendable {
  package let file: KnownFile
  package let id: JobID
  package let envelope: Envelope
  package var path: VolumePath { file.path }

  package init?(_ file: KnownFile, _ id: JobID) {
    guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(file.bytes)) else { return nil }
    self.file = file
    self.id = id
    self.envelope = envelope
  }
}

/// Where requests are put down: by busy workers, so that none waits behind a job while another worker is idle; and, in a room
/// of their own, those that wait for approval.
///
/// A ticket is a file, created exclusively and durable before the request is acknowledged. The claim decides who runs
/// it; a ticket whose request a claim or a result already bears is removed unrun.
package struct DeferredQueue: Sendable {
  /// Over this many, further requests stay with the broker: it is the queue, this only its counter.
  package static let seats = 64

  /// Over this many, further requests that need an approval are refused.
  package static let parkingSpaces = 1000

  package let folder: VolumePath
  package let lease: Lease

  /// Puts a request down, durably. One that lies there already, because the broker sent it again, is not put down twice.
  package func put(_ envelope: Envelope, _ id: JobID) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    if envelope.requestId.mayRepeat {
      guard try tickets(of: envelope, id).isEmpty else { return }
    }
    try create(id, DeferredQueue.bytes(of: envelope, folder))
  }

  /// Puts a request down so that whoever looks finds all of it or a blank: nobody reads these again and again to know which of
  /// them their writer died over. See ``removeBlanks()``.
  package func putWhole(_ envelope: Envelope, _ id: JobID) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    let path = try create(id, [])
    try DurableFile.replace(path, DeferredQueue.bytes(of: envelope, folder))
  }

  /// Takes a name that is free, exclusively.
  @discardableResult
  private func create(_ id: JobID, _ bytes: [UInt8]) throws(VolumeError) -> VolumePath {
    var instant = try lease.clock.now()
    while true {
      let path = folder.appending(DeferredQueue.name(instant, id))
      if let file = try DurableFile.create(path, bytes) {
        try? file.close()
        return path
      }
      instant &+= 1
    }
  }

  /// Removes names that were taken for requests which never came: their writers died, and they were not acknowledged.
  package func removeBlanks() throws(VolumeError) {
    for (_, _, name) in try DeferredQueue.ticketNames(in: folder) {
      let path = folder.appending(name)
      guard let status = try? path.status(), status.st_size == 0, try lease.hasExpired(path),
        let blank = try KnownFile.read(path, .setAside), blank.bytes.isEmpty
      else { continue }
      try blank.remove()
      try DurableFile.remove(DurableFile.draft(of: path))
    }
  }

  /// How many requests wait.
  package func count() throws(VolumeError) -> Int {
    try DurableFile.names(in: folder).count
  }

  /// What waits, oldest first, for any job or for `wanted`.
  package func tickets(of wanted: JobID? = nil) throws(VolumeError) -> [DeferredRequest] {
    var tickets: [DeferredRequest] = []
    for name in try names() where wanted == nil || DeferredQueue.parse(name)?.id == wanted {
      if let ticket = try ticket(named: name) { tickets.append(ticket) }
    }
    return tickets
  }

  /// The names of what waits, oldest first. Who takes the first that can be had need not read all.
  package func names() throws(VolumeError) -> [String] {
    try DeferredQueue.ticketNames(in: folder).map(\.name)
  }

  /// What lies there by that name; `nil` if it is gone. What its writer died over before it was whole was not acknowledged,
  /// and is removed.
  package func ticket(named name: String) throws(VolumeError) -> DeferredRequest? {
    let path = folder.appending(name)
    guard let (_, id) = DeferredQueue.parse(name), let file = try KnownFile.read(path, .setAside) else { return nil }
    if let ticket = DeferredRequest(file, id) { return ticket }
    if try lease.hasExpired(path) { try file.remove() }
    return nil
  }

  /// Those of this very request.
  package func tickets(of envelope: Envelope, _ id: JobID) throws(VolumeError) -> [DeferredRequest] {
    try tickets(of: id).filter { envelope.requestId.isSame(as: $0.envelope.requestId.text) }
  }

  /// The names of tickets with what they say, oldest first: nanoseconds on the volume's clock, and the job.
  static func ticketNames(in folder: VolumePath) throws(VolumeError) -> [(instant: Int64, id: JobID, name: String)] {
    let named = try DurableFile.names(in: folder).compactMap { name -> (instant: Int64, id: JobID, name: String)? in
      parse(name).map { ($0.instant, $0.id, name) }
    }
    return named.sorted { ($0.instant, $0.name) < ($1.instant, $1.name) }
  }

  /// Moves a ticket of another room here, as it is; `false` when somebody else took it away.
  package func admit(_ ticket: DeferredRequest) throws(VolumeError) -> Bool {
    try DurableFile.makeFolder(folder)
    return try DurableFile.move(ticket.path, to: DeferredQueue.freePath(like: ticket.path.name, in: folder))
  }

  /// Takes a ticket away; `false` when somebody else did.
  package func remove(_ ticket: DeferredRequest) throws(VolumeError) -> Bool {
    try ticket.file.remove()
  }

  // MARK: Names and contents

  /// What the ticket is called of a request for `id` that came at `instant`, in nanoseconds on the volume's clock.
  package static func name(_ instant: Int64, _ id: JobID) -> String { "\(instant)-\(id).json" }

  /// What a ticket's name says; `nil` for other files.
  package static func parse(_ name: String) -> (instant: Int64, id: JobID)? {
    guard name.hasSuffix(".json"), let dash = name.firstIndex(of: "-"), let instant = Int64(name[..<dash]),
      let id = try? JobID(String(name[name.index(after: dash)...].dropLast(5)))
    else { return nil }
    return (instant, id)
  }

  /// Where in `folder` a ticket can lie that was called `name` elsewhere: there, or a little later.
  static func freePath(like name: String, in folder: VolumePath) -> VolumePath {
    var path = folder.appending(name)
    guard case (var instant, let id)? = parse(name) else { return path }
    while DurableFile.exists(path) {
      // The name may be somebody's who chose the largest number.
      instant &+= 1
      path = folder.appending(DeferredQueue.name(instant, id))
    }
    return path
  }

  /// What stands in a ticket.
  package static func bytes(of envelope: Envelope, _ folder: VolumePath) throws(VolumeError) -> [UInt8] {
    do {
      return Array(try JSONEncoder().encode(envelope))
    } catch {
      throw VolumeError("encoding a ticket in", folder, .invalidArgument)
    }
  }
}
