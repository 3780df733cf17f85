import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

/// Logs that grow, are cut, replaced, removed and made again while a reader follows them; the same for the same seed.
@Suite struct LogFuzzTests {
  /// Each byte of the file is always the step's byte at that offset. So the printed text must be the step's output from
  /// its beginning, without a gap.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func whatIsPrintedIsTheOutputFromItsBeginning(_ seed: UInt64) throws {
    var scene = try ChangingLog(seed: seed)
    var follower = LogFollower(try JobID("job"), in: scene.volume.directory)
    var printed: [UInt8] = []
    for _ in 0..<2000 {
      try scene.change()
      for _ in 0..<scene.number(0...2) {
        guard let piece = try follower.next() else { break }
        #expect(piece.step == 0)
        printed += piece.bytes
      }
    }
    try scene.end()
    while let piece = try follower.next() { printed += piece.bytes }
    #expect(printed == ChangingLog.output(0..<printed.count))
    #expect(printed.count == scene.longest)
  }

  /// A thread changes the file at any moment during the reading.
  @Test func fileThatChangesWhileItIsReadIsReadToTheSameEnd() async throws {
    let scene = try ChangingLog(seed: 100)
    let directory = scene.volume.directory
    let changing = Task.detached {
      var scene = scene
      for _ in 0..<5000 { try scene.change() }
      try scene.end()
      return scene.longest
    }
    var follower = LogFollower(try JobID("job"), in: directory)
    var printed: [UInt8] = []
    var longest: Int?
    repeat {
      if longest == nil, scene.isOver { longest = try await changing.value }
      while let piece = try follower.next() { printed += piece.bytes }
      await Task.yield()
    } while longest == nil
    #expect(printed == ChangingLog.output(0..<printed.count))
    #expect(printed.count == longest)
  }

  /// A log with forged lines about dropped output, at the usual places or others, is read to its end.
  @Test(arguments: 200..<208 as Range<UInt64>)
  func forgedLinesEndNoReading(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let volume = try Volume()
    var follower = LogFollower(try JobID("job"), in: volume.directory)
    let path = try volume.write("", "jobs/job/results/step_0.log")
    for _ in 0..<500 {
      let limit = Int64.random(in: 0...300, using: &random)
      let counts: [Int64] = [1, 100, .max / 2, .max - 200, .max]
      let count = counts.randomElement(using: &random) ?? 1
      let half = ChangingLog.output(0..<Int(limit / 2))
      let text = half + DroppedOutput(count: count, limit: limit).line + ChangingLog.output(0..<Int(limit - limit / 2))
      var bytes = text + ChangingLog.output(0..<Int.random(in: 0...1, using: &random))
      if Int.random(in: 0..<4, using: &random) == 0 {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      try Data(bytes).write(to: URL(fileURLWithPath: path.string))
      var pieces = 0
      while try follower.next() != nil { pieces += 1 }
      #expect(pieces <= 2)
      if Int.random(in: 0..<8, using: &random) == 0 {
        follower = LogFollower(try JobID("job"), in: volume.directory)
      }
    }
  }
}

/// A step's log with the changes that any process with write access to the volume may make.
private struct ChangingLog: Sendable {
  let volume: Volume
  private var random: SeededRandom
  private var length = 0
  /// The greatest size of the file so far.
  private(set) var longest = 0
  private let results: String
  private let log: String
  private let flag: FilePath

  init(seed: UInt64) throws {
    volume = try Volume()
    random = SeededRandom(seed: seed)
    results = volume.root.pushing("jobs/job/results").string
    log = "\(results)/step_0.log"
    flag = volume.root.appending("over")
    try FileManager.default.createDirectory(atPath: results, withIntermediateDirectories: true)
  }

  /// The step's bytes at these offsets.
  static func output(_ range: Range<Int>) -> [UInt8] { Array(all[range]) }

  private static let all = (0..<1 << 20).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 7) }

  /// Whether ``end()`` was called, on any copy.
  var isOver: Bool { access(flag.string, F_OK) == 0 }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  mutating func change() throws {
    switch number(0...15) {
    case 0: try write(0..<number(0...length), replacing: true)
    case 1: truncate(log, off_t(number(0...size)))
    case 2: unlink(log)
    case 3: try replace()
    case 4:
      unlink(log)
      mkdir(log, 0o755)
      rmdir(log)
    case 5: try moveFolder()
    default:
      length = min(ChangingLog.all.count, length + number(0...(number(0...31) == 0 ? 300_000 : 300)))
      try write(0..<length, replacing: false)
    }
    if number(0...63) == 0 { length = 0 }
  }

  /// Writes the complete log.
  mutating func end() throws {
    length = max(length, longest)
    try write(0..<length, replacing: true)
    try Data().write(to: URL(fileURLWithPath: flag.string))
  }

  /// Continues the output in the file up to the end of the range, or writes the file anew.
  private mutating func write(_ range: Range<Int>, replacing: Bool) throws {
    try FileManager.default.createDirectory(atPath: results, withIntermediateDirectories: true)
    let file = try FileDescriptor.open(
      FilePath(log), .readWrite, options: replacing ? [.create, .truncate] : .create,
      permissions: .init(rawValue: 0o644))
    defer { try? file.close() }
    guard size < range.upperBound else { return }
    try file.writeAll(toAbsoluteOffset: Int64(size), ChangingLog.output(size..<range.upperBound))
    longest = max(longest, range.upperBound)
  }

  /// The file's actual size; 0 if there is no file.
  private var size: Int {
    var status = stat()
    return stat(log, &status) == 0 ? status.st_size : 0
  }

  private mutating func replace() throws {
    let draft = "\(results)/draft"
    let count = number(0...length)
    try Data(ChangingLog.output(0..<count)).write(to: URL(fileURLWithPath: draft))
    rename(draft, log)
    longest = max(longest, count)
  }

  /// Removes the folder and makes it again, as a worker does when it restores a log.
  private func moveFolder() throws {
    try FileManager.default.removeItem(atPath: results)
    try FileManager.default.createDirectory(atPath: results, withIntermediateDirectories: true)
  }
}
