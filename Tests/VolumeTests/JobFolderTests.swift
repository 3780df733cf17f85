import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

@Suite(.timeLimit(.minutes(5))) struct JobFolderTests {
  private let volume: VolumeFixture

  init() throws {
    volume = try VolumeFixture()
  }

  private func open(_ id: String) throws -> JobFolder { try JobFolder.open(try JobID(id), in: volume.directory) }

  @Test func definitionIsRead() throws {
    #expect(try volume.job("job").definition().steps.count == 1)
  }

  @Test func folderThatIsNotThereIsNamed() throws {
    let error = #expect(throws: InvalidInput.self) { try open("job") }
    #expect(error?.description.contains("job-not-found: \(volume.jobs)/job does not exist") == true)
  }

  @Test func linkInsideOfTheVolumeIsFollowed() throws {
    try volume.job("real")
    symlink("real", volume.jobs.appending("link").string)
    #expect(try open("link").definition().steps.count == 1)
  }

  @Test func wholePathToAPlaceInsideIsFollowedThere() throws {
    try volume.job("real")
    symlink(volume.jobs.appending("real").string, volume.jobs.appending("link").string)
    #expect(try open("link").definition().steps.count == 1)
  }

  /// However often the link is exchanged, the opened folder is in the jobs folder.
  @Test func linkThatIsExchangedLeadsNowhereElse() async throws {
    let volume = volume
    try volume.job("real")
    try volume.write("{}", volume.root.appending("job.json"))
    let (link, other) = (volume.jobs.appending("evil").string, volume.jobs.appending("other").string)
    let exchanger = Task.detached {
      while !Task.isCancelled {
        for target in ["real", ".."] {
          unlink(other)
          symlink(target, other)
          rename(other, link)
        }
      }
    }
    defer { exchanger.cancel() }
    var inside = stat()
    stat(volume.jobs.appending("real").string, &inside)
    for _ in 0..<2000 {
      guard let folder = try? open("evil") else { continue }
      var status = stat()
      fstat(folder.descriptor.rawValue, &status)
      #expect(status.st_ino == inside.st_ino)
    }
  }

  @Test(arguments: ["/etc", "../outside", ".", "..", "/"]) func linkOutOfTheVolumeIsRefused(_ target: String) throws {
    try DurableFile.makeFolder(volume.root.appending("outside"))
    symlink(target, volume.jobs.appending("job").string)
    let error = #expect(throws: InvalidInput.self) { try open("job") }
    #expect(error?.description.contains("symbolic link") == true)
  }

  /// The neighbour's name begins with the volume's name.
  @Test func linkToANeighbourOfTheVolumeIsRefused() throws {
    try DurableFile.makeFolder(volume.root.appending("jobs-2"))
    symlink(volume.root.appending("jobs-2").string, volume.jobs.appending("job").string)
    #expect(throws: InvalidInput.self) { try open("job") }
  }

  @Test func fileInPlaceOfAFolderIsRefused() throws {
    try volume.write("", volume.jobs.appending("job"))
    let error = #expect(throws: InvalidInput.self) { try open("job") }
    #expect(error?.description.contains("cannot be opened as a folder") == true)
  }

  @Test func definitionThatIsNoFileIsNamed() throws {
    try DurableFile.makeFolder(volume.jobs.appending("job"))
    let file = volume.jobs.appending("job").appending("job.json")
    let refusal = { () throws -> String in
      try #require(#expect(throws: InvalidInput.self) { try open("job").definition() }).description
    }
    #expect(try refusal().contains("\(file) does not exist"))
    mkfifo(file.string, 0o600)
    #expect(try refusal().contains("\(file) is a FIFO"))
    unlink(file.string)
    try DurableFile.makeFolder(file)
    #expect(try refusal().contains("\(file) is a directory"))
    rmdir(file.string)
    symlink("/etc/hostname", file.string)
    #expect(try refusal().contains("\(file) is a symbolic link"))
    unlink(file.string)
    try volume.write("{\n  \"steps\": [}", file)
    #expect(try refusal().contains("line 2, column 13"))
  }

  @Test func folderIsMadeForARequestThatBringsItsSteps() throws {
    try JobFolder.make(try JobID("job"), in: volume.directory)
    try JobFolder.make(try JobID("job"), in: volume.directory)
    #expect(try volume.names(volume.jobs) == ["job"])
  }

  @Test func storedResultIsNoneWhenItCannotBeRead() throws {
    let folder = try volume.job("job")
    #expect(try folder.storedResult() == nil)
    let results = try ResultsFolder.prepare(in: folder)
    #expect(try folder.storedResult() == nil)
    try volume.write("{", folder.path.appending("results").appending("result.json"))
    #expect(try folder.storedResult() == nil)
    unlink(folder.path.appending("results").appending("result.json").string)
    mkfifo(folder.path.appending("results").appending("result.json").string, 0o600)
    #expect(try folder.storedResult() == nil)
    withExtendedLifetime(results) {}
  }
}
