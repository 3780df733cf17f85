private import FoundationEssentials
private import Glibc
import SystemPackage

/// A request that a busy worker put down for an idle one.
struct Ticket: Sendable {
  let path: FilePath
  let id: JobID
  let envelope: Envelope
}

/// Where busy workers put requests down, so that none waits behind a job while another worker is idle.
///
/// A ticket is a file, created exclusively and durable before the request is acknowledged. The claim decides who runs
/// it; a ticket whose request a claim or a result already bears is removed unrun.
public struct WaitingRoom: Sendable {
  /// Over this many, further requests stay with the broker: it is the queue, this only its counter.
  public static let seats = 64

  let folder: FilePath
  let lease: Lease

  /// Puts a request down, durably. One that lies there already, because the broker sent it again, is not put down twice.
  public func put(_ envelope: Envelope, _ id: JobID) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    if envelope.requestId.mayRepeat {
      let waiting = try tickets()
      guard !waiting.contains(where: { envelope.requestId.isSame(as: $0.envelope.requestId.text) }) else { return }
    }
    var instant = try lease.clock.now()
    let bytes: [UInt8]
    do {
      bytes = Array(try JSONEncoder().encode(envelope))
    } catch {
      throw VolumeError("encoding a ticket of \(id) in", folder, .invalidArgument)
    }
    while true {
      let name = "\(instant)-\(id).json"
      if let file = try DurableFile.create(folder.appending(name), bytes) {
        try? file.close()
        return
      }
      instant += 1
    }
  }

  /// How many requests wait.
  public func count() throws(VolumeError) -> Int {
    try DurableFile.names(in: folder).count
  }

  /// What waits, oldest first. What its writer died over before it was whole was not acknowledged, and is removed.
  func tickets() throws(VolumeError) -> [Ticket] {
    var tickets: [Ticket] = []
    for (_, id, name) in try WaitingRoom.ticketNames(in: folder) {
      let path = folder.appending(name)
      guard let bytes = try DurableFile.read(path) else { continue }
      if let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(bytes)) {
        tickets.append(Ticket(path: path, id: id, envelope: envelope))
      } else if try lease.hasExpired(path) {
        try DurableFile.remove(path)
      }
    }
    return tickets
  }

  /// The names of tickets with what they say, oldest first: nanoseconds on the volume's clock, and the job.
  static func ticketNames(in folder: FilePath) throws(VolumeError) -> [(instant: Int64, id: JobID, name: String)] {
    let named = try DurableFile.names(in: folder).compactMap { name -> (instant: Int64, id: JobID, name: String)? in
      guard name.hasSuffix(".json"), let dash = name.firstIndex(of: "-"), let instant = Int64(name[..<dash]),
        let id = try? JobID(String(name[name.index(after: dash)...].dropLast(5)))
      else { return nil }
      return (instant, id, name)
    }
    return named.sorted { ($0.instant, $0.name) < ($1.instant, $1.name) }
  }

  /// Takes a ticket away; `false` when somebody else did.
  func remove(_ ticket: Ticket) throws(VolumeError) -> Bool {
    try DurableFile.remove(ticket.path)
  }
}
