import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

@Suite(.timeLimit(.minutes(5))) struct WorkspacesDirectoryTests {
  private let volume: VolumeFixture
  private let workspaces: WorkspacesDirectory
  private var root: FilePath { volume.root.appending("workspaces") }

  init() throws {
    volume = try VolumeFixture()
    workspaces = try WorkspacesDirectory(volume.root.appending("workspaces"))
  }

  private var left: [String] {
    get throws {
      let locks = try volume.names(root.appending(".worker"))
      return try volume.names(root).filter { $0 != ".worker" } + locks
    }
  }

  @Test func workspaceIsPrivateAndEmptyAndGoesWithItsLock() async throws {
    let workspace = try workspaces.make(try JobID("job"))
    #expect(workspace.path.lastComponent?.string == "job")
    var status = stat()
    #expect(stat(workspace.path.string, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o700)
    #expect(try left == ["job", "job.lock"])
    try volume.write("x", workspace.path.appending("file"))
    try workspace.purge()
    #expect(try left.isEmpty)
  }

  @Test func nameInUseIsNotTaken() async throws {
    let first = try workspaces.make(try JobID("job"))
    try volume.write("x", first.path.appending("file"))
    let second = try workspaces.make(try JobID("job"))
    #expect(second.path.lastComponent?.string == "job.2")
    try second.purge()
    #expect(volume.text(first.path.appending("file")) == "x")
    try first.purge()
    #expect(try left.isEmpty)
  }

  @Test func whatADeadWorkerLeftIsPurged() throws {
    do {
      let dead = try workspaces.make(try JobID("dead"))
      try volume.write("x", dead.path.appending("file"))
    }
    let alive = try workspaces.make(try JobID("alive"))
    #expect(try left == ["alive", "dead", "alive.lock", "dead.lock"])
    try workspaces.purgeAbandoned()
    #expect(try left == ["alive", "alive.lock"])
    withExtendedLifetime(alive) {}
  }

  @Test func whatADeadWorkerLeftIsNotThereForTheNext() throws {
    do {
      let dead = try workspaces.make(try JobID("job"))
      try volume.write("x", dead.path.appending("file"))
    }
    let next = try workspaces.make(try JobID("job"))
    #expect(next.path.lastComponent?.string == "job")
    #expect(try volume.names(next.path).isEmpty)
  }

  @Test func folderThatNoWorkerMadeIsNeverTouched() throws {
    let foreign = root.appending("job")
    try DurableFile.makeFolder(foreign)
    try volume.write("precious", foreign.appending("file"))
    do {
      let other = try workspaces.make(try JobID("job"))
      #expect(other.path.lastComponent?.string == "job.2")
    }
    // A worker died before it had marked the lock file.
    try volume.write("", root.appending(".worker").appending("job.lock"))
    try workspaces.purgeAbandoned()
    #expect(volume.text(foreign.appending("file")) == "precious")
    #expect(try left == ["job"])
  }

  @Test func lockWithoutItsFolderIsPurged() throws {
    try volume.write("made\n", root.appending(".worker").appending("job.lock"))
    try workspaces.purgeAbandoned()
    #expect(try left.isEmpty)
  }

  @Test func linkInPlaceOfAWorkspaceIsRemovedAndNotFollowed() throws {
    try DurableFile.makeFolder(volume.root.appending("target"))
    try volume.write("precious", volume.root.appending("target").appending("file"))
    symlink(volume.root.appending("target").string, root.appending("job").string)
    try volume.write("made\n", root.appending(".worker").appending("job.lock"))
    try workspaces.purgeAbandoned()
    #expect(try left.isEmpty)
    #expect(volume.text(volume.root.appending("target").appending("file")) == "precious")
  }

  @Test func placeThatIsNoFolderIsRefused() throws {
    try volume.write("", volume.root.appending("file"))
    #expect(throws: VolumeError.self) { try WorkspacesDirectory(volume.root.appending("file")) }
  }

  @Test func manyWorkersMakeAWorkspaceEach() async throws {
    let workspaces = workspaces
    for _ in 0..<20 {
      let made = try await withThrowingTaskGroup(of: Workspace.self) { group in
        for _ in 0..<8 { group.addTask { try await onThread { try workspaces.make(JobID("job")) } } }
        return try await group.reduce(into: [Workspace]()) { $0.append($1) }
      }
      #expect(Set(made.map(\.path)).count == 8)
      for workspace in made { try workspace.purge() }
    }
    #expect(try left.isEmpty)
  }
}
