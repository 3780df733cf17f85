// One operation of FileTree as a process, for a benchmark to run beside cp, rsync, tar and rm.
//
//   filetree-bench stage SOURCE DESTINATION [THREADS]    copies into the new folder DESTINATION
//   filetree-bench purge FOLDER [THREADS]                removes it
//   filetree-bench changes SOURCE DESTINATION RESULTS    copies, says "staged", waits for a line on stdin, then finds
//                                                        what was changed in DESTINATION and exports it to RESULTS
//
// `changes` prints the seconds that finding and exporting took, how much there was, and the peak memory in KiB.

import FileTree
import Glibc
import SystemPackage

let arguments = CommandLine.arguments.dropFirst()

func open(_ path: String) throws -> FileDescriptor {
  try FileDescriptor.open(FilePath(path), .readOnly, options: [.directory, .closeOnExec])
}

func makeAndOpen(_ path: String) throws -> FileDescriptor {
  guard mkdir(path, 0o755) == 0 else { throw Errno(rawValue: errno) }
  return try open(path)
}

func threads(_ argument: String?) -> Int {
  argument.flatMap { Int($0) } ?? FileTree.mostThreads
}

func stage(_ source: String, _ destination: String, _ threads: Int) throws -> Snapshot {
  // As the worker does it, with somebody to tell how far it is.
  try FileTree.copy(try open(source), to: try makeAndOpen(destination), threads: threads, progress: { _ in })
}

func seconds(_ duration: Duration) -> Double {
  Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
}

func changes(_ source: String, _ destination: String, _ results: String) throws {
  let snapshot = try stage(source, destination, FileTree.mostThreads)
  print("staged")
  fflush(nil)
  guard readLine() != nil else { return }
  let original = try open(source)
  let tree = try open(destination)
  let begin = ContinuousClock.now
  let changes = try FileTree.changes(in: tree, since: snapshot, original: original)
  let found = ContinuousClock.now
  let export = try FileTree.export(changes, from: tree, to: try makeAndOpen(results))
  let end = ContinuousClock.now
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  print(
    seconds(found - begin), seconds(end - found), changes.changed.count, changes.deleted.count, export.failures.count,
    usage.ru_maxrss)
}

do {
  switch (arguments.first, arguments.count) {
  case ("stage", 3...4):
    _ = try stage(arguments[2], arguments[3], threads(arguments.count == 4 ? arguments[4] : nil))
  case ("purge", 2...3):
    let folder = FilePath(arguments[2])
    let parent = try open(folder.removingLastComponent().string)
    try FileTree.remove(
      folder.lastComponent?.string ?? "", in: parent, threads: threads(arguments.count == 3 ? arguments[3] : nil))
  case ("changes", 4):
    try changes(arguments[2], arguments[3], arguments[4])
  default:
    print("usage: filetree-bench stage SOURCE DESTINATION | purge FOLDER | changes SOURCE DESTINATION RESULTS")
  }
} catch {
  print("filetree-bench: \(error)")
  exit(1)
}
