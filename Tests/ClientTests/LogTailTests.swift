import Jobs
import SystemPackage
import Testing

@testable import Client

@Suite struct LogTailTests {
  @Test func latestLogIsFollowedToTheNext() throws {
    let volume = try Volume()
    try volume.write("a", "jobs/job/results/step_0.log")
    var tail = LogTail(try JobID("job"), .latest, size: 100, in: volume.directory)
    #expect(try tail.next() == LogTail.Piece(step: 0, offset: 0, bytes: Array("a".utf8), isFirst: true))
    #expect(try tail.next() == nil)
    try volume.write("ab", "jobs/job/results/step_0.log")
    try volume.write("", "jobs/job/results/step_1.log")
    try volume.write("c", "jobs/job/results/step_2.log")
    #expect(try tail.next() == LogTail.Piece(step: 0, offset: 1, bytes: Array("b".utf8), isFirst: false))
    #expect(try tail.next() == LogTail.Piece(step: 2, offset: 0, bytes: Array("c".utf8), isFirst: true))
    #expect(try tail.next() == nil)
  }

  /// A job may write what it likes there.
  @Test func anyNumberOfEmptyLogsIsPassedOver() throws {
    let volume = try Volume()
    try volume.write("a", "jobs/job/results/step_0.log")
    var tail = LogTail(try JobID("job"), .latest, size: 100, in: volume.directory)
    #expect(try tail.next()?.step == 0)
    for step in 1..<3000 { try volume.write("", "jobs/job/results/step_\(step).log") }
    try volume.write("end", "jobs/job/results/step_3000.log")
    #expect(try tail.next()?.step == 3000)
  }
}
