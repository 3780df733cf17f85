import Dispatch
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

struct ClaimTests {
  @Test func recordIsReadBackAsItWasWritten() throws {
    let volume = try VolumeFixture()
    let ledger = try volume.ledger("one")
    var request = envelope("job", "order-4711")
    request.responseTopic = "replies/1"
    request.correlationData = [0, 255]
    let claim = try #require(try ledger.claim(request, try JobID("job")))
    let file = try #require(try ledger.directory.claimFiles(.setAside).first)
    let record = try #require(file.record)
    #expect(file.path == claim.path)
    #expect(record.id == claim.record.id)
    #expect(record.attempt == 1)
    #expect(record.worker == "one")
    #expect(record.process == .current)
    #expect(record.filter == VolumeFixture.filter)
    #expect(record.envelope == request)
  }

  @Test func claimKnowsWhenItsFileIsGone() throws {
    let volume = try VolumeFixture()
    let claim = try #require(try volume.ledger().claim(envelope("job", "r"), try JobID("job")))
    #expect(try claim.isInPlace())
    // Another worker may have made a claim of the same name since.
    unlink(claim.path.string)
    try volume.write("", claim.path)
    #expect(try !claim.isInPlace())
  }

  /// Another worker moves the claim aside by mistake, and back. Waiting for that must not block other tasks.
  @Test(.timeLimit(.minutes(5))) func claimThatIsPutAsideForAMomentIsAwaitedWithoutHoldingATask() async throws {
    let volume = try VolumeFixture()
    let claim = try #require(try volume.ledger().claim(envelope("job", "r"), try JobID("job")))
    let aside = claim.path.folder.appending(".aside")
    try claim.path.rename(to: aside.name)
    #expect(try claim.isInPlaceNow() == nil)
    let thread = OneThread()
    let answer = Task(executorPreference: thread) { try await claim.staysInPlace() }
    try await Task(executorPreference: thread) { try aside.rename(to: claim.path.name) }.value
    #expect(try await answer.value)
    unlink(claim.path.string)
    #expect(try await !claim.staysInPlace())
  }

  @Test func recordOfADryRunHasNoFilter() throws {
    let volume = try VolumeFixture()
    _ = try #require(try volume.ledger(filter: nil).claim(envelope("job", "r"), try JobID("job")))
    #expect(try volume.directory.claimFiles(.setAside).first?.record?.filter == nil)
    #expect(volume.text(volume.directory.claims.appending("job.1.json"))?.contains("filter") == false)
  }

  @Test(arguments: ["", "{}", "null", "{\"id\":\"../x\"}"]) func otherContentIsNoRecord(_ text: String) {
    #expect(decodedJSON(ClaimRecord.self, Array(text.utf8)) == nil)
  }
}

/// Runs tasks one after the other, like Swift's pool on a machine with one core.
private final class OneThread: TaskExecutor {
  private let queue = DispatchQueue(label: "tasks")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
