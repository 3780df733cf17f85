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
  package enum Weight: String, Codable, Sendable {
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
  package var weight: Weight
  /// The observation, and its meaning.
  package var detail: String

  /// Whether the finding forbids the use with workers.
  package var isFatal: Bool { weight == .needed && verdict != .yes }
}

/// A property with its name, its importance, and the consequences of having or lacking it.
struct Property: Sendable {
  package let subject: Finding.Subject
  package let name: String
  let weight: Finding.Weight
  /// The consequences of having and of lacking it.
  package let present: String
  let absent: String

  package func finding(_ has: Bool, _ seen: String = "") -> Finding {
    let meaning = has ? present : absent
    return Finding(
      subject: subject, name: name, verdict: has ? .yes : .no, weight: weight,
      detail: seen.isEmpty ? meaning : "\(seen): \(meaning)")
  }

  package func unknown(_ reason: String) -> Finding {
    Finding(subject: subject, name: name, verdict: .unknown, weight: weight, detail: reason)
  }
}

/// The properties of a broker that workers need.
enum BrokerProperties {
  package static let all: [Property] = [
    Property(
      subject: .broker, name: "connection", weight: .needed, present: "it lets this account in",
      absent: "nothing else can be examined"),
    Property(
      subject: .broker, name: "messages", weight: .needed, present: "what is published comes to who subscribes",
      absent:
        "this account may not both publish and subscribe there; give another account, or a --topic that it may use"),
    Property(
      subject: .broker, name: "large messages", weight: .needed, present: "a request may have 256 KiB",
      absent:
        "a request of 256 KiB does not get through; raise the broker's largest packet (mosquitto: max_packet_size)"),
    Property(
      subject: .broker, name: "no matching subscribers", weight: .wanted,
      present: "a sender is told (0x10) when nobody is there to take its request",
      absent: "a request that nobody is subscribed to vanishes without a word; wait for the event 'accepted'"),
    Property(
      subject: .broker, name: "durable sessions", weight: .needed,
      present: "requests wait for a worker that is away, in their order",
      absent: "requests that are sent while a worker is away are lost; allow sessions to last, and to queue messages"),
    Property(
      subject: .broker, name: "redelivery", weight: .needed,
      present: "a request that a worker did not acknowledge before it died comes again",
      absent: "a request that a worker had not acknowledged when it died is lost: no job is safe on this broker"),
    Property(
      subject: .broker, name: "shared subscriptions", weight: .needed,
      present: "each request goes to one worker of a $share group",
      absent: "workers cannot share a topic; give each a topic of its own, or use another broker"),
    Property(
      subject: .broker, name: "retained messages", weight: .wanted,
      present: "results and the state of workers are there for those who come late",
      absent: "who comes late sees no results and no workers, only what lies on the volume"),
    Property(
      subject: .broker, name: "message expiry", weight: .wanted,
      present: "results and the state of workers go away by themselves",
      absent: "retained results stay for ever, and workers that are long gone stay listed; use --no-retain"),
    Property(
      subject: .broker, name: "last will", weight: .wanted,
      present: "a worker that dies is shown offline",
      absent: "a worker that dies is missed only when its heartbeats do not come"),
    Property(
      subject: .broker, name: "closed to strangers", weight: .wanted,
      present: "it lets in no client without a name or certificate",
      absent: "anybody who reaches it may connect, and run commands on workers if no access control forbids that"),
  ]
}

/// The properties of a volume and of the workspaces' disk that workers need.
enum VolumeProperties {
  static let writable = Property(
    subject: .volume, name: "writable", weight: .needed, present: "this user can write there",
    absent: "no worker of this user can work with it")
  static let exclusiveCreation = Property(
    subject: .volume, name: "exclusive creation", weight: .needed, present: "one of several wins a claim",
    absent: "two workers could run a job at once; mount it with a protocol that has O_EXCL (NFS 3 or later)")
  static let atomicRename = Property(
    subject: .volume, name: "atomic rename", weight: .needed, present: "readers see the old file or the new, whole",
    absent: "a reader may find no result.json, or half of one")
  package static let clock = Property(
    subject: .volume, name: "clock", weight: .needed, present: "leases can be measured by it",
    absent: "a worker that is well could be taken for dead; see to the time on the file server")
  /// For file systems where hosts may set times by their own clocks.
  static let watchedClock = Property(
    subject: .volume, name: "clock", weight: .needed,
    present:
      "hosts may stamp files there with their own clocks, so that a worker counts as dead for who has seen its claim "
      + "unchanged for a whole lease",
    absent: "a worker that is well could be taken for dead; see to the time on the file server")
  package static let fsync = Property(
    subject: .volume, name: "fast fsync", weight: .wanted, present: "a job waits for some eight of these",
    absent: "each job waits for some eight of these, and one more for each of its artifacts")
  package static let links = Property(
    subject: .volume, name: "links and modes", weight: .wanted, present: "they are kept",
    absent: "links and executable files of jobs do not survive on it")
  package static let names = Property(
    subject: .volume, name: "any names", weight: .wanted, present: "names need not be UTF-8",
    absent: "files with names that are not UTF-8 cannot come back")
  static let workspacesWritable = Property(
    subject: .workspaces, name: "writable", weight: .needed, present: "this user can write there",
    absent: "no worker of this user can work with it")
  static let executable = Property(
    subject: .workspaces, name: "executable", weight: .needed, present: "steps can run programs of their job",
    absent: "it is mounted noexec: steps cannot run programs of their job")
  static let reflink = Property(
    subject: .workspaces, name: "reflink", weight: .wanted, present: "staging shares blocks with the volume",
    absent: "staging copies every byte, which is as fast as the disks are")
}
