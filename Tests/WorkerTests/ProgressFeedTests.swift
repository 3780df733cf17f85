import FileTree
import Synchronization
import TestSupport
import Testing

@testable import Jobs
@testable import Volume
@testable import Worker

struct ProgressFeedTests {
  private final class Heard: Sendable {
    let shown = Mutex<[JobProgress?]>([])
    let told = Mutex<[JobProgress]>([])
  }

  private let heard = Heard()

  private func feed() throws -> ProgressFeed {
    ProgressFeed(
      id: try JobID("job"), phase: .stage, show: { [heard] progress in heard.shown.withLock { $0.append(progress) } },
      tell: { [heard] progress in heard.told.withLock { $0.append(progress) } })
  }

  private func report(_ milliseconds: Int) -> CopyProgress {
    CopyProgress(files: milliseconds, bytes: Int64(milliseconds) << 20, elapsed: .milliseconds(milliseconds))
  }

  @Test func copyOfLessThanASecondIsNotTold() throws {
    let result = try feed().follow { report in
      for time in [100, 500, 999] { report(self.report(time)) }
      return 7
    }
    #expect(result == 7)
    #expect(heard.shown.withLock { $0.isEmpty })
    #expect(heard.told.withLock { $0.isEmpty })
  }

  @Test func longCopyIsShownOftenAndToldOnceASecond() throws {
    try feed().follow { report in
      for time in [900, 1050, 1150, 1950, 2100, 2200, 4000, 4100] { report(self.report(time)) }
    }
    #expect(heard.shown.withLock { $0.map { $0?.copy.files } } == [1050, 1150, 1950, 2100, 2200, 4000, 4100, nil])
    #expect(heard.told.withLock { $0.map(\.copy.files) } == [1050, 2100, 4000])
  }

  @Test func lineOfACopyThatFailsIsTakenAway() throws {
    struct Full: Error {}
    #expect(throws: Full.self) {
      try feed().follow { report in
        report(self.report(2000))
        throw Full()
      }
    }
    #expect(heard.shown.withLock { $0.map { $0?.copy.files } } == [2000, nil])
  }

  @Test func eventTellsFilesBytesAndTime() throws {
    let claim = ClaimRecord(
      id: try JobID("job"), attempt: 2, worker: "w", process: .elsewhere, envelope: envelope("job", "key"))
    let event = JobEvent(progress: JobProgress(id: claim.id, phase: .sync, copy: report(1500)), of: claim)
    let text = String(decoding: try event.encoded(), as: UTF8.self)
    #expect(text.hasPrefix(#"{"attempt":2,"bytes":1572864000,"durationMs":1500,"event":"progress","files":1500,"#))
    #expect(text.contains(#""id":"job","phase":"sync","requestId":"key","time":""#))
  }
}
