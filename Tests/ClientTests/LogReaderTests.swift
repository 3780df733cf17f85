import Foundation
import Glibc
import Steps
import SystemPackage
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

@Suite struct LogReaderTests {
  /// Makes a log with `limit`, written as a worker writes it, and a reader of that log.
  private func follow(limit: Int64, _ body: (StepLog, _ read: () throws -> String) throws -> Void) throws {
    let folder = FilePath(FileManager.default.temporaryDirectory.path).appending("log-\(UUID().uuidString)")
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    let directory = try FileDescriptor.open(folder, .readOnly, options: .directory)
    defer { try? directory.close() }
    let file = try FileDescriptor.open(
      folder.appending(JobsDirectory.logName(0)), .readWrite, options: .create, permissions: .ownerReadWrite)
    let log = StepLog(file, limit: limit, temporary: folder)
    var reader = LogReader(0)
    try body(log) {
      var text = ""
      while true {
        let bytes = try reader.read(in: directory)
        if bytes.isEmpty { return text }
        text += String(decoding: bytes, as: UTF8.self)
      }
    }
  }

  @Test func whatIsNewIsReadOnce() throws {
    try follow(limit: 1000) { (log, read) throws in
      #expect(try read() == "")
      log.write("one\n")
      #expect(try read() == "one\n")
      log.write("two\n")
      log.write("three\n")
      #expect(try read() == "two\nthree\n")
      log.finish()
      #expect(try read() == "")
    }
  }

  /// A log that is cut after the look at its size is shorter than that size, like every file of sysfs. A leftover errno
  /// of an earlier call must not count then.
  @Test(.enabled(if: getuid() == 0, "mounts a file of sysfs over a log, which needs root"))
  func logThatIsShorterThanItWasIsNoError() throws {
    let folder = FilePath(FileManager.default.temporaryDirectory.path).appending("log-\(UUID().uuidString)")
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    let log = folder.appending("step_0.log")
    try Data().write(to: URL(fileURLWithPath: log.string))
    try #require(mount("/sys/kernel/mm/transparent_hugepage/enabled", log.string, nil, UInt(MS_BIND), nil) == 0)
    defer { umount2(log.string, Int32(MNT_DETACH)) }
    let directory = try FileDescriptor.open(folder, .readOnly, options: .directory)
    defer { try? directory.close() }
    var reader = LogReader(0)
    #expect(try !reader.read(in: directory).isEmpty)
    close(-1)
    #expect(try reader.read(in: directory).isEmpty)
  }

  @Test func forgedFiguresOfDroppedOutputAreRead() throws {
    // The step writes text that looks like the end of a finished log, and continues.
    let line = DroppedOutput(count: .max, limit: 1000).line
    try follow(limit: 1 << 20) { (log, read) throws in
      let half = [UInt8](repeating: UInt8(ascii: "x"), count: 500)
      (half + line + half).withUnsafeBytes { log.append($0) }
      #expect(try read().utf8.count == 1128)
      log.write("more\n")
      #expect(try read().hasSuffix("more\n"))
    }
  }

  @Test func logThatIsNotThereYetIsWaitedFor() throws {
    let directory = try FileDescriptor.open("/", .readOnly, options: .directory)
    defer { try? directory.close() }
    var reader = LogReader(7)
    #expect(try reader.read(in: directory).isEmpty)
  }

  @Test func logOverItsLimitIsReadAsItStandsByWhoComesAfterItsEnd() throws {
    try follow(limit: 100) { (log, read) throws in
      for number in 100..<200 { log.write("\(number)\n") }
      log.finish()
      let text = try read()
      #expect(text.hasPrefix("100\n101\n") && text.hasSuffix("198\n199\n"))
      #expect(text.contains("300 bytes of output were dropped here"))
      #expect(Int64(text.utf8.count) == log.length)
    }
  }

  @Test func whoKeptUpWithALogOverItsLimitMissesNothing() throws {
    try follow(limit: 100) { (log, read) throws in
      var seen = ""
      // More than the limit, but no more than the file holds before the worker puts it in order.
      for number in 100..<145 {
        log.write("\(number)\n")
        seen += try read()
      }
      log.write("145\n")
      log.finish()
      seen += try read()
      #expect(seen == (100...145).map { "\($0)\n" }.joined())
    }
  }

  @Test func whoFellBehindIsToldWhatWasDropped() throws {
    try follow(limit: 100) { (log, read) throws in
      for number in 100..<140 { log.write("\(number)\n") }
      let first = try read()
      for number in 140..<300 { log.write("\(number)\n") }
      _ = try read()
      log.finish()
      let rest = try read()
      #expect(first.hasPrefix("100\n") && first.hasSuffix("139\n"))
      #expect(rest.contains("bytes of output were dropped here") && rest.hasSuffix("298\n299\n"))
    }
  }
}

extension StepLog {
  /// Appends a text, as the pump does.
  fileprivate func write(_ text: String) {
    Array(text.utf8).withUnsafeBytes { append($0) }
  }
}
