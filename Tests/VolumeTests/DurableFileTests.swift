import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Volume

struct DurableFileTests {
  private let volume: VolumeFixture
  private var file: FilePath { volume.root.appending("file") }

  init() throws {
    volume = try VolumeFixture()
  }

  @Test func creationIsExclusive() throws {
    let first = try #require(try DurableFile.create(file, Array("one".utf8)))
    try first.close()
    #expect(try DurableFile.create(file, Array("two".utf8)) == nil)
    #expect(volume.text(file) == "one")
  }

  @Test func oneOfManyCreatesAFile() async throws {
    let file = file
    let winners = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<16 {
        group.addTask {
          try await onThread {
            guard let created = try DurableFile.create(file, [UInt8(number)]) else { return 0 }
            try created.close()
            return 1
          }
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(winners == 1)
    #expect(try DurableFile.read(file)?.count == 1)
  }

  @Test func replacementLeavesNothingElse() throws {
    try DurableFile.replace(file, Array("one".utf8))
    try DurableFile.replace(file, Array("two".utf8))
    #expect(volume.text(file) == "two")
    #expect(try volume.names(volume.root) == ["file", "jobs"])
  }

  @Test func replacementThatFailsLeavesTheOldAndNothingElse() throws {
    try DurableFile.makeFolder(file.appending("below"))
    #expect(throws: VolumeError.self) { try DurableFile.replace(file, []) }
    #expect(try volume.names(volume.root) == ["file", "jobs"])
  }

  @Test func fileThatIsNotThereIsNoError() throws {
    #expect(try DurableFile.read(file) == nil)
    #expect(try !DurableFile.remove(file))
    #expect(try DurableFile.names(in: file).isEmpty)
  }

  @Test(.timeLimit(.minutes(5))) func fifoIsRefusedWithoutWaiting() throws {
    #expect(mkfifo(file.string, 0o600) == 0)
    let error = #expect(throws: VolumeError.self) { try DurableFile.read(file) }
    #expect(error?.cause == .invalidArgument)
  }

  @Test func linkIsNotFollowed() throws {
    try volume.write("secret", volume.root.appending("target"))
    symlink(volume.root.appending("target").string, file.string)
    let error = #expect(throws: VolumeError.self) { try DurableFile.read(file) }
    #expect(error?.cause == .tooManySymbolicLinkLevels)
    #expect(try DurableFile.create(file, []) == nil)
    #expect(volume.text(volume.root.appending("target")) == "secret")
  }

  @Test func tooLargeAFileIsRefused() throws {
    try volume.write("12345", file)
    #expect(try DurableFile.read(file, limit: 5)?.count == 5)
    let error = #expect(throws: VolumeError.self) { try DurableFile.read(file, limit: 4) }
    #expect(error?.cause == .fileTooLarge)
  }

  @Test func foldersAboveAreMade() throws {
    let folder = volume.root.appending("a").appending("b").appending("c")
    try DurableFile.makeFolder(folder)
    try DurableFile.makeFolder(folder)
    try DurableFile.create(folder.appending("file"), [])?.close()
    try DurableFile.create(folder.appending(".hidden"), [])?.close()
    #expect(try DurableFile.names(in: folder) == ["file"])
  }

  @Test func errorNamesWhatAndWhere() throws {
    let missing = volume.root.appending("missing").appending("file")
    let error = #expect(throws: VolumeError.self) { try DurableFile.create(missing, []) }
    #expect(error?.description.contains("creating \(missing): ") == true)
    #expect(error?.description.hasSuffix("check that the volume is mounted") == true)
  }
}
