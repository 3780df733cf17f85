/// What workers rely on in a volume, and in the disk on which steps run.
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
  /// Where hosts may stamp files with their own clocks.
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
