/// A finding about a property of a broker or a volume.
package struct Finding: Codable, Equatable, Sendable {
  /// The examined thing.
  package enum Subject: String, Codable, Sendable, CaseIterable { case broker, volume, workspaces }

  /// The verdict.
  package enum Verdict: String, Codable, Sendable {
    /// It has the property.
    case yes
    /// It lacks the property.
    case no
    /// Unknown; the detail says why.
    case unknown
  }

  /// The importance of the property.
  enum Weight: String, Codable, Sendable {
    /// Without it jobs can be lost, or nothing works.
    case needed
    /// Without it something is slower or less convenient.
    case wanted
  }

  /// The examined thing.
  package var subject: Subject
  /// Its name.
  package var name: String
  /// The verdict.
  package var verdict: Verdict
  /// The importance.
  var weight: Weight
  /// The observation, and its meaning.
  package var detail: String

  /// Whether the finding forbids the use with workers.
  package var isFatal: Bool { weight == .needed && verdict != .yes }
}

/// A property with its name, its importance, and the consequences of having or lacking it.
struct Property: Sendable {
  let subject: Finding.Subject
  let name: String
  let weight: Finding.Weight
  /// The consequences of having and of lacking it.
  let present: String
  let absent: String

  func finding(_ has: Bool, _ seen: String = "") -> Finding {
    let meaning = has ? present : absent
    return Finding(
      subject: subject, name: name, verdict: has ? .yes : .no, weight: weight,
      detail: seen.isEmpty ? meaning : "\(seen): \(meaning)")
  }

  func unknown(_ reason: String) -> Finding {
    Finding(subject: subject, name: name, verdict: .unknown, weight: weight, detail: reason)
  }
}

/// The properties of a broker that workers need.
extension Property {
  static let connection = Property(
    subject: .broker, name: "connection", weight: .needed, present: "the broker accepts this account",
    absent: "no other property can be examined")
  static let messages = Property(
    subject: .broker, name: "messages", weight: .needed, present: "a subscriber gets the published messages",
    absent:
      "this account may not publish and subscribe there; give another account, or a --topic that it may use")
  static let largeMessages = Property(
    subject: .broker, name: "large messages", weight: .needed, present: "a request may have 256 KiB",
    absent:
      "the broker does not deliver a request of 256 KiB; raise its largest packet (mosquitto: max_packet_size)")
  static let noMatchingSubscribers = Property(
    subject: .broker, name: "no matching subscribers", weight: .wanted,
    present: "the broker tells the sender of a request (0x10) if no worker is subscribed",
    absent:
      "the broker drops a request without a subscriber and does not tell its sender; wait for the event 'accepted'")
  static let sessionExpiry = Property(
    subject: .broker, name: "session expiry", weight: .wanted,
    present: "the broker keeps the session of a worker without a connection",
    absent: "a worker that is away for longer loses the requests that wait for it; let the broker keep sessions longer")
  static let durableSessions = Property(
    subject: .broker, name: "durable sessions", weight: .needed,
    present: "the broker keeps requests in order for a worker without a connection",
    absent: "requests for a worker without a connection are lost; let the broker keep sessions and queue messages")
  static let redelivery = Property(
    subject: .broker, name: "redelivery", weight: .needed,
    present: "the broker delivers a request again if its worker died before it acknowledged it",
    absent: "a request is lost if its worker dies before it acknowledges it: no job is safe; use another broker")
  static let sharedSubscriptions = Property(
    subject: .broker, name: "shared subscriptions", weight: .needed,
    present: "the broker gives each request to one worker of a $share group",
    absent: "workers cannot share a topic; give each worker its own topic, or use another broker")
  static let queuesOfGroups = Property(
    subject: .broker, name: "queues of groups", weight: .needed,
    present: "the broker keeps requests for a $share group whose workers are all away",
    absent: "requests are lost that are sent while workers of a $share group are away; use another broker")
  static let handover = Property(
    subject: .broker, name: "handover", weight: .wanted,
    present: "another worker can take over what is queued for one that is gone",
    absent:
      "the broker discards a queue at UNSUBSCRIBE: give workers a --queue-interval that is longer than its time to send a "
      + "message again")
  static let retainedMessages = Property(
    subject: .broker, name: "retained messages", weight: .wanted,
    present: "later subscribers get the results and the states of workers",
    absent: "later subscribers get no results and no states of workers; read results from the volume")
  static let fewRetained = Property(
    subject: .broker, name: "few retained", weight: .wanted,
    present: "a new subscriber does not wait for them",
    absent:
      "it keeps them in memory, and sends all that match to each new subscriber; have results expire sooner (--retain)")
  static let messageExpiry = Property(
    subject: .broker, name: "message expiry", weight: .wanted,
    present: "old results and states of workers expire",
    absent: "retained results and states of workers that are gone stay for ever; use --retain off")
  static let lastWill = Property(
    subject: .broker, name: "last will", weight: .wanted,
    present: "the broker reports a dead worker as offline",
    absent: "a dead worker is noticed only by its missing heartbeats")
  static let closedToStrangers = Property(
    subject: .broker, name: "closed to strangers", weight: .wanted,
    present: "the broker accepts no client without a user name or certificate",
    absent:
      "any client may connect, and run commands on workers unless an ACL forbids it; require a user name or certificate"
  )
}

/// The properties of a volume and of the workspaces' disk that workers need.
extension Property {
  static let writable = Property(
    subject: .volume, name: "writable", weight: .needed, present: "this user can write there",
    absent: "workers of this user cannot use it")
  static let exclusiveCreation = Property(
    subject: .volume, name: "exclusive creation", weight: .needed, present: "only one of several workers gets a claim",
    absent: "two workers could run a job at once; mount it with a protocol that has O_EXCL (NFS 3 or later)")
  static let atomicRename = Property(
    subject: .volume, name: "atomic rename", weight: .needed,
    present: "readers see the old file or the new one, complete",
    absent: "a reader may find no result.json, or an incomplete one; use another file system")
  static let clock = Property(
    subject: .volume, name: "clock", weight: .needed, present: "workers can measure leases by it",
    absent: "a live worker could be taken for dead; correct the clock of the file server")
  /// For file systems where hosts may set times by their own clocks.
  static let watchedClock = Property(
    subject: .volume, name: "clock", weight: .needed,
    present:
      "hosts may set file times by their own clocks, so a worker counts as dead after others have seen its claim "
      + "unchanged for a whole lease",
    absent: "a live worker could be taken for dead; correct the clock of the file server")
  static let fsync = Property(
    subject: .volume, name: "fast fsync", weight: .wanted, present: "a job needs about eight of these",
    absent: "each job needs about eight of these, and one more for each of its artifacts")
  static let links = Property(
    subject: .volume, name: "links", weight: .wanted, present: "they are kept",
    absent: "symbolic links of jobs are lost there")
  static let modes = Property(
    subject: .volume, name: "modes", weight: .wanted, present: "they are kept",
    absent: "results have the modes of the file system; a worker warns of each job")
  static let ownership = Property(
    subject: .volume, name: "ownership", weight: .wanted, present: "results get the owner of their job's folder",
    absent: "results belong to the worker's user")
  static let names = Property(
    subject: .volume, name: "any names", weight: .wanted, present: "names need not be UTF-8",
    absent: "files whose names are not UTF-8 cannot be brought back")
  static let otherMount = Property(
    subject: .volume, name: "other mount", weight: .needed, present: "workers on both mounts see one another",
    absent: "workers on these mounts could run a job at once, or miss one; mount it without such caches")
  static let workspacesWritable = Property(
    subject: .workspaces, name: "writable", weight: .needed, present: "this user can write there",
    absent: "workers of this user cannot use it")
  static let locks = Property(
    subject: .workspaces, name: "locks", weight: .needed, present: "a worker can see which workspaces others use",
    absent: "the file system has no flock(2), and no worker starts there; give another --workspaces-dir")
  static let executable = Property(
    subject: .workspaces, name: "executable", weight: .needed, present: "steps can run programs of their job",
    absent: "it is mounted noexec: steps cannot run programs of their job; give another --workspaces-dir")
  static let reflink = Property(
    subject: .workspaces, name: "reflink", weight: .wanted, present: "staging shares blocks with the volume",
    absent: "staging copies every byte, as fast as the disks allow")
}
