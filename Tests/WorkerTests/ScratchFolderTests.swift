import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

struct ScratchFolderTests {
  private let volume: VolumeFixture
  private let workspace: Workspace
  private var scratch: ScratchFolder { get throws { try workspace.scratch } }
  private var state: FilePath { volume.root.appending("workspaces/.worker") }

  init() throws {
    volume = try VolumeFixture()
    let workspaces = try WorkspacesDirectory(volume.root.appending("workspaces"))
    workspace = try workspaces.make(try JobID("job-" + String(repeating: "x", count: 120)))
  }

  private func mode(_ path: FilePath) -> mode_t? {
    var status = stat()
    return lstat(path.string, &status) == 0 ? status.st_mode : nil
  }

  @Test func itIsPrivateAndShortAndGoesWithTheWorkspace() throws {
    let places = try scratch.newFiles().places
    #expect(mode(places.temporary) == S_IFDIR | 0o700)
    #expect(mode(places.temporary.removingLastComponent()) == S_IFDIR | 0o700)
    #expect(places.temporary.string.utf8.count - state.string.utf8.count < 25)
    try volume.write("x", places.temporary.appending("file"))
    try workspace.purge()
    #expect(try volume.names(state).isEmpty)
  }

  @Test func filesOfEachStepAreNewAndEmpty() throws {
    let first = try scratch.newFiles()
    try volume.write("A=1\n", first.places.environment)
    let second = try scratch.newFiles()
    #expect(first.places.environment != second.places.environment)
    #expect(try second.read(.environment).values == [:])
    #expect(try first.read(.environment).values == ["A": "1"] && first.read(.output).values == [:])
    #expect(unlink(first.places.output.string) == 0)
    #expect(try first.read(.output).values == [:])
  }

  @Test(arguments: ["file", "link", "none", "closed"])
  func temporaryFolderIsThereForEachStep(_ instead: String) throws {
    let path = try scratch.newFiles().places.temporary
    switch instead {
    case "closed": #expect(chmod(path.string, 0) == 0)
    default:
      #expect(rmdir(path.string) == 0)
      if instead == "file" { try volume.write("x", path) }
      if instead == "link" { #expect(symlink("/", path.string) == 0) }
    }
    #expect(try scratch.newFiles().places.temporary == path)
    #expect(mode(path) == S_IFDIR | 0o700)
  }

  @Test func onlyARegularFileOfAMebibyteIsRead() throws {
    let secret = volume.root.appending("secret")
    try volume.write("A=1\n", secret)
    let replacements: [(String, (String) -> Int32)] = [
      ("link", { symlink(secret.string, $0) }), ("FIFO", { mkfifo($0, 0o600) }), ("folder", { mkdir($0, 0o700) }),
      ("1 GiB of holes", { close(creat($0, 0o600)) + truncate($0, 1 << 30) }),
      (
        "line",
        {
          _ = try? volume.write("line", FilePath($0)); return 0
        }
      ),
    ]
    for (name, replace) in replacements {
      let files = try scratch.newFiles()
      #expect(unlink(files.places.environment.string) == 0)
      #expect(replace(files.places.environment.string) == 0)
      #expect(throws: VariableFault.self, "\(name)") { try files.read(.environment) }
    }
    try workspace.purge()
    #expect(try volume.names(state).isEmpty)
    #expect(volume.text(secret) == "A=1\n")
  }

  @Test func namesOfTheWorkerCannotBeHandedOn() throws {
    for name in ["JOB_ID", "JOB_ENV", "MQTT_URL", "STEP_INDEX", "STEP_0_STATUS", "WORKER_ID"] {
      let files = try scratch.newFiles()
      for place in [files.places.environment, files.places.output] { try volume.write("\(name)=1", place) }
      #expect(throws: VariableFault.self) { try files.read(.environment) }
      #expect(try files.read(.output).values == [name: "1"])
    }
  }

  @Test(arguments: ["rm -rf $F", "chmod 0 $F", "rm -rf $F; ln -s $W $F", "rm -rf $F; : > $F", "rm -rf $F/tmp"])
  func whatAStepDoesToItIsMended(_ command: String) throws {
    let first = try scratch.newFiles()
    let folder = first.places.temporary.removingLastComponent()
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", command]
    shell.environment = ["F": folder.string, "W": workspace.path.string, "PATH": "/usr/bin:/bin"]
    try shell.run()
    shell.waitUntilExit()
    let second = try scratch.newFiles()
    #expect(mode(folder) == S_IFDIR | 0o700 && mode(second.places.temporary) == S_IFDIR | 0o700)
    try volume.write("A=1", second.places.environment)
    #expect(try second.read(.environment).values == ["A": "1"])
    #expect(try volume.names(workspace.path).isEmpty)
    try workspace.purge()
    #expect(try volume.names(state).isEmpty)
  }
}
