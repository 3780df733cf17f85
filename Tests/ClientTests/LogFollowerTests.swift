import Foundation
import Glibc
import SystemPackage
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

@Suite struct LogFollowerTests {
  private func all(_ follower: inout LogFollower) throws -> [String] {
    var pieces: [String] = []
    while let piece = try follower.next() {
      pieces.append("\(piece.step): \(String(decoding: piece.bytes, as: UTF8.self))")
    }
    return pieces
  }

  @Test func stepsFollowEachOther() throws {
    let volume = try Volume()
    var follower = LogFollower(try JobID("a"), in: volume.directory)
    #expect(try all(&follower) == [])
    try volume.write("one", "jobs/a/results/step_0.log")
    #expect(try all(&follower) == ["0: one"])
    // Steps that were not run have no log.
    try volume.write("", "jobs/a/results/step_1.log")
    try volume.write("three", "jobs/a/results/step_3.log")
    try volume.write("eleven", "jobs/a/results/step_11.log")
    #expect(try all(&follower) == ["3: three", "11: eleven"])
  }

  @Test func laterAttemptIsReadFromItsFirstStep() throws {
    let volume = try Volume()
    try volume.claim("a", attempt: 1)
    try volume.write("one", "jobs/a/results/step_0.log")
    var follower = LogFollower(try JobID("a"), in: volume.directory)
    #expect(try all(&follower) == ["0: one"])
    try volume.claim("a", attempt: 2)
    try FileManager.default.moveItem(
      atPath: volume.root.pushing("jobs/a/results").string,
      toPath: volume.root.pushing("jobs/a/results.previous").string)
    try volume.write("again", "jobs/a/results/step_0.log")
    #expect(try all(&follower) == ["0: again"])
  }

  @Test func logsThatWereRestoredAreNotReadAgain() throws {
    let volume = try Volume()
    try volume.claim("a", attempt: 1)
    try volume.write("one", "jobs/a/results/step_0.log")
    var follower = LogFollower(try JobID("a"), in: volume.directory)
    #expect(try all(&follower) == ["0: one"])
    try FileManager.default.removeItem(atPath: volume.root.pushing("jobs/a/results").string)
    try volume.write("one, two", "jobs/a/results/step_0.log")
    #expect(try all(&follower) == ["0: , two"])
  }

  @Test func whatAnEarlierRunLeftIsNotOfTheNext() throws {
    let volume = try Volume()
    try volume.write("old", "jobs/a/results/step_0.log")
    var follower = LogFollower(nextRunOf: try JobID("a"), in: volume.directory)
    #expect(try all(&follower) == [])
    try FileManager.default.moveItem(
      atPath: volume.root.pushing("jobs/a/results").string,
      toPath: volume.root.pushing("jobs/a/results.previous").string)
    try volume.write("new", "jobs/a/results/step_0.log")
    #expect(try all(&follower) == ["0: new"])
  }

  @Test func logOfTheLargestNumberIsTheLast() throws {
    let volume = try Volume()
    try volume.write("last", "jobs/a/results/step_\(Int.max).log")
    var follower = LogFollower(try JobID("a"), in: volume.directory)
    #expect(try all(&follower) == ["\(Int.max): last"])
    #expect(try all(&follower) == [])
  }

  @Test func linksAndPipesInPlaceOfALogAreNotRead() throws {
    let volume = try Volume()
    let secret = try volume.write("secret", "secret")
    try volume.write("", "jobs/a/results/x")
    try FileManager.default.createSymbolicLink(
      atPath: volume.root.pushing("jobs/a/results/step_0.log").string, withDestinationPath: secret.string)
    mkfifo(volume.root.pushing("jobs/a/results/step_1.log").string, 0o644)
    try volume.write("two", "jobs/a/results/step_2.log")
    var follower = LogFollower(try JobID("a"), in: volume.directory)
    #expect(try all(&follower) == ["2: two"])
  }
}
