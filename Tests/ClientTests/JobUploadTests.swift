import FileTree
import Foundation
import Glibc
import SystemPackage
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

@Suite struct JobUploadTests {
  private func upload(_ volume: Volume, _ source: String, as id: String = "job") throws -> JobUpload {
    JobUpload(volume.root.pushing(FilePath(source)), as: try JobID(id), to: volume.directory)
  }

  @Test func folderIsThereUnderItsIDWithoutWhatIsReserved() async throws {
    let volume = try Volume()
    try volume.write("{}", "mine/job.json")
    try volume.write("x", "mine/src/deep/file")
    try volume.write("old", "mine/results/result.json")
    #expect(chmod(volume.root.pushing("mine").string, 0o750) == 0)
    mkfifo(volume.root.pushing("mine/pipe").string, 0o644)
    let skipped = try await upload(volume, "mine").run { _, _ in }.skipped
    #expect(volume.names("jobs") == ["job"])
    #expect(volume.names("jobs/job") == ["job.json", "src"])
    #expect(volume.text("jobs/job/src/deep/file") == "x")
    #expect(skipped.map { "\($0.path)" } == ["pipe"])
    var status = stat()
    #expect(stat(volume.root.pushing("jobs/job").string, &status) == 0 && status.st_mode & 0o777 == 0o750)
  }

  @Test func idThatIsTakenIsLeftAsItIs() async throws {
    let volume = try Volume()
    try volume.write("mine", "mine/file")
    try volume.write("theirs", "jobs/job/file")
    await #expect(throws: JobExists.self) { _ = try await upload(volume, "mine").run { _, _ in } }
    #expect(volume.text("jobs/job/file") == "theirs")
    #expect(volume.names("jobs") == ["job"])
  }

  @Test func ofTwoUploadsAtOnceOneGetsTheName() async throws {
    let volume = try Volume()
    for name in ["a", "b"] {
      for number in 0..<200 { try volume.write(name, "\(name)/\(number)") }
    }
    let uploads = [try upload(volume, "a"), try upload(volume, "b")]
    let outcomes = await withTaskGroup(of: Bool.self) { group in
      for upload in uploads {
        group.addTask { (try? await upload.run { _, _ in }) != nil }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 }.count == 1)
    #expect(volume.names("jobs") == ["job"])
    #expect(Set((0..<200).map { volume.text("jobs/job/\($0)") }).count == 1)
  }

  @Test func folderInItsPlaceIsNotCopied() throws {
    let volume = try Volume()
    try volume.write("{}", "jobs/job/job.json")
    #expect(try upload(volume, "jobs/job").isInPlace)
    #expect(try !upload(volume, "jobs/job", as: "other").isInPlace)
  }

  @Test func whatAKilledUploadLeftIsRemovedByTheNext() async throws {
    let volume = try Volume()
    try volume.write("{}", "mine/job.json")
    let own = UploadName().text
    let (prefix, tail) = (own.prefix { _ in true }.split(separator: "\(getpid())", maxSplits: 1)[0], "-1")
    // No process has this number (proc_sys_kernel(5), pid_max).
    try volume.write("x", "jobs/\(prefix)\(Int32.max)\(tail)/file")
    try volume.write("x", "jobs/.submit-otherhost-1-1-1/file")
    _ = try await upload(volume, "mine").run { _, _ in }
    #expect(volume.names("jobs") == [".submit-otherhost-1-1-1", "job"])
  }

  @Test func withdrawnItIsGoneUnlessAWorkerHasIt() async throws {
    let volume = try Volume()
    try volume.write("{}", "mine/job.json")
    let upload = try upload(volume, "mine")
    _ = try await upload.run { _, _ in }
    try volume.claim("job", attempt: 1)
    let early = try upload.withdraw()
    #expect(!early)
    #expect(volume.text("jobs/job/job.json") == "{}")
    try FileManager.default.removeItem(atPath: volume.root.pushing("jobs/.worker").string)
    let late = try upload.withdraw()
    #expect(late)
    #expect(volume.names("jobs").isEmpty)
  }
}
