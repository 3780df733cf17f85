import Foundation
import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import JobWorker

struct LeaseTests {
  private let volume: VolumeFixture
  private var file: VolumePath { VolumePath(volume.root).appending("file") }

  init() throws {
    volume = try VolumeFixture()
    try DurableFile.create(file, [])?.close()
  }

  private func lease(_ duration: Duration) -> Lease {
    Lease(duration, clock: VolumeClock(probe: VolumePath(volume.root).appending("probe")))
  }

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

  @Test(.timeLimit(.minutes(1))) func keeperKeepsItFromExpiring() async throws {
    let lease = lease(.seconds(60))
    let descriptor = try FileDescriptor.open(file.path, .readWrite)
    defer { try? descriptor.close() }
    age(file, .seconds(61))
    let rounds = Mutex(0)
    let keeper = LeaseKeeper(descriptor, every: .milliseconds(20)) { rounds.withLock { $0 += 1 } }
    while rounds.withLock({ $0 }) < 3 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(try !lease.hasExpired(file))
    keeper.cancel()
  }

  /// The clock of the volume was set back after its holder's last touch.
  @Test(.timeLimit(.minutes(1))) func fileFromTheFutureExpiresWhenNobodyTouchesIt() async throws {
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

  /// Touched by another host, whose time stamps a volume takes as they are, a moment ahead of this one.
  @Test func fileAMomentAheadIsNew() throws {
    age(file, .seconds(-1))
    #expect(try !lease(.seconds(1)).hasExpired(file))
  }
}
