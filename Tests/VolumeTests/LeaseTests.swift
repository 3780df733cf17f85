import Foundation
import Glibc
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Volume

struct LeaseTests {
  private let volume: VolumeFixture
  private var file: VolumePath { volume.file }

  init() throws {
    volume = try VolumeFixture()
    try DurableFile.create(file, [])?.close()
  }

  private func lease(_ duration: Duration) -> Lease { volume.lease(duration) }

  @Test func leaseExpiresWhenItsFileIsNotTouched() throws {
    #expect(try !lease(.seconds(60)).hasExpired(file))
    age(file, .seconds(59 - 20))
    #expect(try !lease(.seconds(60)).hasExpired(file))
    age(file, .seconds(61))
    #expect(try lease(.seconds(60)).hasExpired(file))
  }

  @Test func fileThatIsGoneHasNotExpired() throws {
    #expect(try !lease(.zero).hasExpired(VolumePath(volume.root).appending("gone")))
  }

  @Test(.timeLimit(.minutes(5))) func keeperKeepsItFromExpiring() async throws {
    let lease = lease(.seconds(60))
    let descriptor = try FileDescriptor.open(file.path, .readWrite)
    defer { try? descriptor.close() }
    age(file, .seconds(61))
    let rounds = Mutex(0)
    let renewer = LeaseRenewer(descriptor, every: .milliseconds(20)) { rounds.withLock { $0 += 1 } }
    while rounds.withLock({ $0 }) < 3 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(try !lease.hasExpired(file))
    renewer.cancel()
  }

  /// The volume's clock was set back after the holder's last touch.
  @Test(.timeLimit(.minutes(5))) func fileFromTheFutureExpiresWhenNobodyTouchesIt() async throws {
    let lease = lease(.milliseconds(300))
    age(file, .seconds(-3600))
    let start = ContinuousClock.now
    #expect(try !lease.hasExpired(file))
    while try !lease.hasExpired(file) { try await Task.sleep(for: .milliseconds(5)) }
    #expect(ContinuousClock.now - start >= .milliseconds(300))
  }

  @Test func fileFromTheFutureThatIsTouchedDoesNotExpire() async throws {
    let lease = lease(.milliseconds(100))
    for hour in 1...10 {
      age(file, .seconds(-3600 * hour))
      #expect(try !lease.hasExpired(file))
      try await Task.sleep(for: .milliseconds(60))
    }
  }

  // MARK: Where hosts stamp their files

  private func doubting(_ duration: Duration, remembering memory: FilePath? = nil) -> Lease {
    volume.lease(duration, times: .hosts, remembering: memory)
  }

  @Test(.timeLimit(.minutes(5)), arguments: [-120, 0, 120, 1_000_000])
  func anAgeSaysNothingWhereHostsStamp(_ seconds: Int) async throws {
    age(file, .seconds(seconds))
    let lease = doubting(.milliseconds(300))
    let start = ContinuousClock.now
    #expect(try !lease.hasExpired(file))
    while try !lease.hasExpired(file) { try await Task.sleep(for: .milliseconds(5)) }
    #expect(ContinuousClock.now - start >= .milliseconds(300))
  }

  @Test func touchedFileNeverExpiresWhereHostsStamp() async throws {
    let lease = doubting(.milliseconds(100))
    for round in 1...10 {
      // A host whose clock is two minutes behind touches the file.
      age(file, .seconds(120 - round))
      #expect(try !lease.hasExpired(file))
      try await Task.sleep(for: .milliseconds(60))
    }
  }

  /// A worker that lives for one short job never watches for a whole lease.
  @Test(.timeLimit(.minutes(5))) func whatAProcessHasWatchedTheNextOneKnows() async throws {
    let memory = volume.root.appending("memory")
    #expect(try !doubting(.milliseconds(300), remembering: memory).hasExpired(file))
    #expect(try !doubting(.milliseconds(300), remembering: memory).hasExpired(file))
    let start = ContinuousClock.now
    while try !doubting(.milliseconds(300), remembering: memory).hasExpired(file) {
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(ContinuousClock.now - start < .seconds(30))
    // With a memory file that is torn or of another boot, the lease has seen the file for the first time.
    for text in ["", "{", #"{"boot":"another","seen":{}}"#] {
      try volume.write(text, memory)
      #expect(try !doubting(.milliseconds(300), remembering: memory).hasExpired(file))
    }
  }

  // MARK: The renewer

  @Test(.timeLimit(.minutes(5))) func keeperTellsWhenItCannotTouchForTwoThirdsOfALease() async throws {
    let (lapses, lapse) = AsyncStream.makeStream(of: Duration.self)
    // A renewer of a descriptor that is not open.
    let renewer = LeaseRenewer(FileDescriptor(rawValue: 1_000_000), every: .milliseconds(200)) {}
    renewer.onLapse { lapse.yield($0) }
    let start = ContinuousClock.now
    for await age in lapses {
      #expect(age >= .milliseconds(400))
      break
    }
    #expect(ContinuousClock.now - start >= .milliseconds(390))
    renewer.cancel()
  }

  /// Another host touched the file, and its clock is slightly ahead of this host's.
  @Test func fileAMomentAheadIsNew() throws {
    age(file, .seconds(-1))
    #expect(try !lease(.seconds(1)).hasExpired(file))
  }
}
