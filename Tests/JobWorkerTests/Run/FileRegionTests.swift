import Foundation
import SystemPackage
import Testing

@testable import JobWorker

struct FileRegionTests {
  @Test(arguments: [(10, 3), (10, 0), (10, 10), (11, 5), (524_288, 1), (524_289, 262_144), (1_572_865, 524_289)])
  func theByteAtTheOffsetComesFirst(count: Int, offset: Int) throws {
    let fixture = try StepFixture()
    let path = fixture.directory.appending("file")
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    try Data([1, 2] + bytes + [3]).write(to: URL(fileURLWithPath: path.string))
    let file = try FileDescriptor.open(path, .readWrite)
    defer { try? file.close() }
    try FileRegion(descriptor: file.rawValue, start: 2, count: Int64(count)).rotate(by: Int64(offset))
    let expected = [1, 2] + bytes[offset...] + bytes[..<offset] + [3]
    #expect(try fixture.contents("file") == Data(expected))
  }

  @Test func aFileThatWasCutShortIsAnError() throws {
    let fixture = try StepFixture()
    let path = fixture.directory.appending("file")
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path.string))
    let file = try FileDescriptor.open(path, .readWrite)
    defer { try? file.close() }
    #expect(throws: Errno.ioError) { try FileRegion(descriptor: file.rawValue, start: 0, count: 9).rotate(by: 2) }
  }
}
