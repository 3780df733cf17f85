import Foundation
import SystemPackage
import Testing

@testable import Steps

/// A volume that accepts no data for a while. A file size limit would end the process, so the test replaces the log's
/// descriptor by one that refuses writes (/dev/full), and then restores it.
struct LogFileTests {
  private let fixture: StepFixture
  private let descriptor: Int32

  init() throws {
    fixture = try StepFixture()
    descriptor = open(fixture.directory.appending("log").string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
  }

  private func append(_ text: String, to file: inout LogFile) {
    Array(text.utf8).withUnsafeBytes { file.append($0) }
  }

  private func whileFull(_ work: () -> Void) {
    let kept = dup(descriptor)
    let full = open("/dev/full", O_RDWR)
    dup2(full, descriptor)
    close(full)
    work()
    dup2(kept, descriptor)
    close(kept)
  }

  @Test func whatAFullVolumeRefusesIsCountedAndToldOnceThereIsSpace() throws {
    defer { close(descriptor) }
    var file = LogFile(descriptor, limit: 1 << 20, temporary: fixture.directory)
    append("before\n", to: &file)
    whileFull {
      append("12345", to: &file)
      append("67890", to: &file)
    }
    #expect(file.firstError == .noSpace)
    #expect(file.dropped == 10)
    append("after\n", to: &file)
    file.finish()
    let text = String(decoding: try fixture.contents("log"), as: UTF8.self)
    #expect(text.hasPrefix("before\n\n[10 bytes of output are missing here"))
    #expect(text.hasSuffix("]\nafter\n"))
    #expect(file.dropped == 10)
    #expect(file.length == Int64(text.utf8.count))
  }

  @Test func logThatIsCutUnderItIsSaidToBe() throws {
    defer { close(descriptor) }
    var file = LogFile(descriptor, limit: 1 << 20, temporary: fixture.directory)
    append("0123456789", to: &file)
    ftruncate(descriptor, 4)
    append("ab", to: &file)
    file.finish()
    #expect(file.cutTo == 4)
    #expect(file.length == 12)
    #expect(try fixture.contents("log") == Data("0123".utf8) + Data(repeating: 0, count: 6) + Data("ab".utf8))
  }

  @Test func lengthOfALogThatIsCutAtTheEndIsWhatIsLeft() throws {
    defer { close(descriptor) }
    var file = LogFile(descriptor, limit: 1 << 20, temporary: fixture.directory)
    append("0123456789", to: &file)
    ftruncate(descriptor, 4)
    file.finish()
    #expect(file.cutTo == 4)
    #expect(file.length == 4)
  }

  @Test func whatOthersAddToALogGoes() throws {
    defer { close(descriptor) }
    var file = LogFile(descriptor, limit: 1 << 20, temporary: fixture.directory)
    append("ours\n", to: &file)
    pwrite(descriptor, "forged for long\n", 16, 5)
    append("too\n", to: &file)
    file.finish()
    #expect(try fixture.contents("log") == Data("ours\ntoo\n".utf8))
    #expect(file.cutTo == nil)
  }

  @Test func aVolumeThatStaysFullIsNoReasonToFail() throws {
    defer { close(descriptor) }
    var file = LogFile(descriptor, limit: 10, temporary: fixture.directory)
    append("before\n", to: &file)
    whileFull {
      append(String(repeating: "x", count: 1000), to: &file)
      file.finish()
    }
    #expect(try fixture.contents("log") == Data("before\n".utf8))
    #expect(file.dropped == 1000)
    #expect(file.length == 7)
  }

  @Test func theNewestOutputThatCannotBeKeptIsCounted() throws {
    defer { close(descriptor) }
    var file = LogFile(descriptor, limit: 1000, temporary: fixture.directory.appending("missing"))
    append(String(repeating: "x", count: 5000), to: &file)
    file.finish()
    #expect(file.firstError == .noSuchFileOrDirectory)
    #expect(file.lost == 3872)
    #expect(try fixture.contents("log") == Data(String(repeating: "x", count: 1128).utf8))
    #expect(file.length == 1128)
  }
}
