import Glibc
import TestSupport
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

@Suite struct VolumeWatchTests {
  /// The next news from the watch, as text.
  private func next(_ watch: inout VolumeWatch) async throws -> String {
    try await eventually("news") {
      switch try watch.look() {
      case .claim(let worker, let attempt): "\(worker) \(attempt)"
      case .result(let result): "\(result.status)"
      case nil: String?.none
      }
    }
  }

  /// GlusterFS has inode numbers that do not fit into an Int64, and a file system may return any size and time.
  @Test func fileOfAnyNumberSizeAndTimeCanBeToldFromAnother() {
    var status = stat()
    (status.st_ino, status.st_size, status.st_mtim) = (.max, .max, timespec(tv_sec: .min, tv_nsec: .max))
    let stamp = FileStamp(status)
    #expect(stamp == FileStamp(status))
    status.st_ino -= 1
    #expect(stamp != FileStamp(status))
  }

  @Test func claimsAndResultsOfOneRequestAreTold() async throws {
    let volume = try Volume()
    let request = try OutgoingRequest(try JobID("job"))
    var watch = VolumeWatch(request, in: volume.directory)
    // Claims and results of other requests do not count.
    try volume.claim("job", attempt: 1, worker: "other", request: "r")
    try volume.result("job")
    let early = try watch.look()
    #expect(early == nil)
    try volume.claim("job", attempt: 2, worker: "a", request: request.requestID.text)
    #expect(try await next(&watch) == "a 2")
    try volume.claim("job", attempt: 3, worker: "b", request: request.requestID.text)
    #expect(try await next(&watch) == "b 3")
    try volume.result("job", .failed, request: request.requestID.text)
    #expect(try await next(&watch) == "failed")
    let late = try watch.look()
    #expect(late == nil)
  }
}
