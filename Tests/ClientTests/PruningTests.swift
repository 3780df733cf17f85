import FileTree
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

extension Volume {
  /// A finished job whose result is that old, with a source of 3 bytes.
  fileprivate func job(_ id: String, _ status: JobStatus = .success, days: Int) throws {
    try write("abc", "jobs/\(id)/source")
    try result(id, status)
    age(directory.path.pushing(FilePath("\(id)/results/result.json")), .seconds(days * 86400))
  }

  fileprivate func pruning(_ change: (inout PruningOrder) -> Void = { _ in }) throws -> Pruning {
    var order = PruningOrder()
    change(&order)
    return try Pruning(order, from: directory)
  }

  /// The ids of the jobs that would go.
  fileprivate func due(_ change: (inout PruningOrder) -> Void = { _ in }) throws -> [String] {
    try pruning(change).jobs().map(\.id.text)
  }

  /// Removes all that is due, and returns the ids.
  @discardableResult
  fileprivate func prune(_ change: (inout PruningOrder) -> Void = { _ in }) async throws -> [String] {
    let pruning = try pruning(change)
    var removed: [String] = []
    for job in try pruning.jobs() where try await pruning.remove(job) != nil { removed.append(job.id.text) }
    return removed
  }
}

@Suite struct PruningTests {
  @Test func jobsOlderThanTheAgeGoWithAllThatTheyHold() async throws {
    let volume = try Volume()
    try volume.job("older", days: 9)
    try volume.job("old", days: 8)
    try volume.job("young", days: 6)
    try volume.write("{}", "jobs/pending/job.json")
    #expect(try await volume.prune() == ["older", "old"])
    #expect(volume.names("jobs") == [".worker", "pending", "young"])
    #expect(volume.names("jobs/.worker/claims") == [])
    #expect(try await volume.prune { $0.age = .seconds(3600) } == ["young"])
  }

  @Test func sizeIsOfAllFilesThatWereRemoved() async throws {
    let volume = try Volume()
    try volume.job("job", days: 8)
    try volume.write("12345", "jobs/job/deep/er/file")
    symlink("/etc", volume.directory.path.appending("job").appending("link").string)
    let pruning = try volume.pruning()
    let job = try #require(try pruning.jobs().first)
    let result = try #require(volume.text("jobs/job/results/result.json")).utf8.count
    let expected = TreeSize(files: 4, bytes: Int64(result + 8))
    #expect(pruning.size(of: job) == expected)
    #expect(try await pruning.remove(job) == expected)
    #expect(job.age > .seconds(8 * 86400 - 60) && job.age < .seconds(8 * 86400 + 60))
  }

  @Test func newestOfThoseWithTheStatusStay() throws {
    let volume = try Volume()
    for (id, status, days) in [
      ("a", .success, 20), ("b", .failed, 19), ("c", .success, 18), ("d", .failed, 17), ("e", .success, 1),
    ] as [(String, JobStatus, Int)] {
      try volume.job(id, status, days: days)
    }
    #expect(try volume.due { $0.kept = 2 } == ["a", "b", "c"])
    #expect(try volume.due { $0.statuses = [.success] } == ["a", "c"])
    #expect(try volume.due { ($0.statuses, $0.kept) = ([.success], 2) } == ["a"])
    #expect(try volume.due { ($0.statuses, $0.kept) = ([.failed, .success], 5) } == [])
  }

  @Test func jobsThatSomebodyHasOrWantsStay() throws {
    let volume = try Volume()
    for id in ["claimed", "half", "waits", "parked", "decided", "undelivered", "tried", "rests"] {
      try volume.job(id, days: 8)
    }
    try volume.claim("claimed", attempt: 3)
    try volume.write("", "jobs/.worker/claims/half.1.json")
    try volume.write("{}", "jobs/.worker/waiting/jobs%2Fpending/1-waits.json")
    try volume.write("{}", "jobs/.worker/parked/jobs%2Fpending/1-parked.json")
    try volume.write("{}", "jobs/.worker/parked/jobs%2Fpending/1-decided.x1.decided")
    try volume.write("{}", "jobs/.worker/undelivered/jobs%2Fpending/1.1.undelivered.json")
    try volume.write("{}", "jobs/.worker/undelivered/jobs%2Fpending/1.1.tried.json~x")
    #expect(try volume.due() == ["rests"])
  }

  @Test(arguments: [
    "jobs/.worker/claims/job.1.json", "jobs/.worker/claims/job.2.json",
    "jobs/.worker/waiting/f/1-job.json", "jobs/.worker/parked/f/1-job.json",
    "jobs/.worker/undelivered/f/1.1.job.json",
  ])
  func jobThatSomebodyTakesMeanwhileStays(_ path: String) async throws {
    let volume = try Volume()
    try volume.job("job", days: 8)
    let pruning = try volume.pruning()
    let job = try #require(try pruning.jobs().first)
    try volume.write("{}", path)
    #expect(try await pruning.remove(job) == nil)
    #expect(volume.names("jobs/job") == ["results", "source"])
    #expect(volume.text(path) == "{}")
    #expect(volume.names("jobs/.worker/claims").count == (path.contains("claims") ? 1 : 0))
  }

  @Test func jobWithAnotherResultMeanwhileStays() async throws {
    let volume = try Volume()
    try volume.job("job", days: 8)
    let pruning = try volume.pruning()
    let job = try #require(try pruning.jobs().first)
    try volume.result("job", .failed)
    #expect(try await pruning.remove(job) == nil)
    #expect(volume.names("jobs/job") == ["results", "source"])
    #expect(volume.names("jobs/.worker/claims") == [])
  }

  @Test func linksAndTheFoldersToWhichTheyLeadStay() async throws {
    let volume = try Volume()
    for id in ["real", "deep", "free"] { try volume.job(id, days: 8) }
    try volume.write("x", "jobs/deep/er/file")
    try volume.write("x", "outside/results/file")
    let links = [
      ("relative", "real"), ("absolute", "\(volume.directory.path)/deep/er"), ("out", "\(volume.root)/outside"),
      ("lost", "nowhere"), ("loop", "loop"), ("up", "../jobs"),
    ]
    for (id, target) in links { symlink(target, volume.directory.path.appending(id).string) }
    #expect(try await volume.prune { $0.age = .zero } == ["free"])
    #expect(Set(volume.names("jobs")).isSuperset(of: ["real", "deep"] + links.map(\.0)))
    #expect(volume.names("jobs/deep") == ["er", "results", "source"])
  }

  @Test func jobWithoutAReadableResultStays() throws {
    let volume = try Volume()
    let result = { (id: String) in volume.directory.path.pushing(FilePath("\(id)/results/result.json")).string }
    for id in ["fifo", "link", "folder", "huge", "text", "linked"] {
      try volume.job(id, days: 8)
      unlink(result(id))
    }
    try volume.job("sound", days: 8)
    mkfifo(result("fifo"), 0o600)
    symlink(result("sound"), result("link"))
    mkdir(result("folder"), 0o700)
    try volume.write("{", "jobs/text/results/result.json")
    try volume.write("", "jobs/huge/results/result.json")
    truncate(result("huge"), 1 << 40)
    rmdir(volume.directory.path.appending("linked").appending("results").string)
    symlink("../sound/results", volume.directory.path.appending("linked").appending("results").string)
    #expect(try volume.due { $0.age = .zero } == ["sound"])
  }

  @Test func ifTheFirstStepFailsTheJobStays() async throws {
    let volume = try Volume()
    try volume.job("job", days: 8)
    let pruning = try volume.pruning()
    let job = try #require(try pruning.jobs().first)
    await #expect(throws: Errno.timedOut) {
      try await pruning.remove(job) { _ in
        #expect(volume.names("jobs/.worker/claims") == ["job.1.json"])
        throw Errno.timedOut
      }
    }
    #expect(volume.names("jobs/job") == ["results", "source"])
    #expect(volume.names("jobs/.worker/claims") == [])
  }

  // MARK: Earlier results

  @Test func onlyWorkersPreviousResultsGo() async throws {
    let volume = try Volume()
    for id in ["job", "foreign", "none"] { try volume.job(id, days: 8) }
    try volume.write("old", "jobs/job/results.previous/step_0.log")
    try volume.write("mine", "jobs/foreign/results.previous/file")
    let pruning = try volume.pruning { $0.extent = .previousResults }
    let jobs = try pruning.jobs()
    #expect(jobs.map(\.id.text) == ["job"])
    #expect(pruning.size(of: try #require(jobs.first)) == TreeSize(files: 1, bytes: 3))
    #expect(try await pruning.remove(try #require(jobs.first)) == TreeSize(files: 1, bytes: 3))
    #expect(volume.names("jobs/job") == ["results", "source"])
    #expect(volume.text("jobs/foreign/results.previous/file") == "mine")
  }

  @Test func previousResultsThatAKilledRemovalHidGo() async throws {
    let volume = try Volume()
    try volume.job("job", days: 8)
    try volume.write("old", "jobs/job/.worker/.earlier-results.x/deep/file")
    #expect(try await volume.prune { $0.extent = .previousResults } == ["job"])
    #expect(volume.names("jobs/job") == ["results", "source"])
  }

  // MARK: Leftovers

  @Test func folderThatAKilledRemovalDoomedGoes() throws {
    let volume = try Volume()
    try volume.write("12", "jobs/.pruned~job~1~elsewhere~x/file")
    try volume.write("x", "jobs/.pruned~job~1~elsewhere/file")
    try volume.write("x", "jobs/.pruned~..~1~elsewhere~x/file")
    try volume.write("x", "jobs/.pruned~file~1~elsewhere~x")
    let pruning = try volume.pruning()
    let left = try pruning.leftovers()
    #expect(left.map(\.id.text) == ["job"])
    #expect(try pruning.remove(try #require(left.first)) == TreeSize(files: 1, bytes: 2))
    #expect(volume.names("jobs").count == 3)
  }

  @Test func folderInDoubtGetsItsNameBackIfThatIsFree() throws {
    let volume = try Volume()
    try volume.write("x", "jobs/.prune~job~1~elsewhere~x/file")
    try volume.write("x", "jobs/.prune~taken~1~elsewhere~x/file")
    try FileManager.default.createDirectory(
      atPath: volume.directory.path.appending("taken").string, withIntermediateDirectories: false)
    let pruning = try volume.pruning()
    for folder in try pruning.leftovers() {
      if folder.id.text == "job" {
        #expect(try pruning.restore(folder))
      } else {
        #expect(throws: VolumeError.self) { try pruning.restore(folder) }
      }
    }
    #expect(volume.text("jobs/job/file") == "x")
    #expect(volume.names("jobs/taken") == [] && volume.names("jobs/.prune~taken~1~elsewhere~x") == ["file"])
  }

  @Test func folderOfALiveProcessIsLeftToIt() throws {
    let volume = try Volume()
    try volume.write("x", "jobs/job/file")
    let removal = try #require(
      try JobRemoval.begin(try JobID("job"), in: volume.directory, at: volume.directory.time()))
    let hidden = try #require(try removal.hide())
    #expect(try volume.pruning().leftovers().isEmpty)
    #expect(volume.names("jobs/\(hidden.name)") == ["file"])
  }
}
