import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Client
@testable import Jobs
@testable import Volume

struct JobCheckTests {
  /// A folder `name` with this job.json in the test's own directory.
  private func check(_ name: String, _ definition: String?, folders: [String] = []) throws -> (JobCheck, FilePath) {
    let fixture = try VolumeFixture()
    return try withExtendedLifetime(fixture) {
      let folder = FilePath(try #require(realPath(fixture.root)).string).appending(name)
      for path in [folder] + folders.map({ folder.pushing(FilePath($0)) }) {
        try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
      }
      try definition?.write(toFile: folder.appending("job.json").string, atomically: false, encoding: .utf8)
      return (JobCheck(folder), folder)
    }
  }

  @Test func jobWithNothingWrongHasItsSteps() throws {
    let (check, _) = try check("job", #"{"steps": ["a", {"run": "b", "workingDirectory": "src"}]}"#, folders: ["src"])
    #expect(check.errors.isEmpty && check.warnings.isEmpty)
    #expect(check.steps == 2)
  }

  @Test func faultIsToldWithItsFileAndPlace() throws {
    let (check, folder) = try check("job", "{\"steps\":\n []}")
    #expect(
      check.errors == [
        #"\#(folder)/job.json: "steps" is empty; at least one step is expected, like ["make"] (line 2, column 2)"#
      ])
    #expect(check.steps == 0)
  }

  @Test func missingDefinitionIsToldSo() throws {
    let (check, folder) = try check("job", nil)
    #expect(check.errors == ["\(folder)/job.json does not exist; a job needs its steps in it, or in the request"])
  }

  @Test func nameOfTheFolderIsTheID() throws {
    let (check, _) = try check("-job", #"{"steps": ["a"]}"#)
    #expect(check.errors.count == 1)
    #expect(check.errors.first?.hasPrefix(#"the folder's name is the job's id: "-job" is not a job id"#) == true)
  }

  @Test func linkThatAWorkerWouldRefuseIsToldSo() throws {
    let fixture = try VolumeFixture()
    let link = fixture.root.appending("job")
    #expect(symlink("/usr", link.string) == 0)
    #expect(JobCheck(link).errors.first?.contains("is a symbolic link to /usr, outside of the jobs folder") == true)
  }

  @Test func rootOfTheFileSystemIsNoJob() {
    #expect(JobCheck("/").errors.first?.hasPrefix("/ is the root of the file system") == true)
  }

  @Test func folderThatIsNotThereIsToldSo() {
    #expect(JobCheck("/nowhere/job").errors == ["/nowhere/job does not exist"])
  }

  @Test func whatAShellReadsInAnotherWayIsAWarning() throws {
    let steps = #"["ls\r\necho two\r\n", {"run": "true", "env": {"A": "${B}", "PRICE": "5$", "C": "$1"}}, "echo $X"]"#
    let (check, _) = try check(
      "job", #"{"steps": \#(steps), "env": {"PATH": "$HOME/t:$PATH", "D": "$(date)", "E": "a$b"}}"#)
    #expect(check.errors.isEmpty)
    #expect(check.warnings.count == 5)
    #expect(check.warnings.prefix(3).allSatisfy { $0.hasPrefix(#""env": the "$" in "#) })
    #expect(check.warnings[3].hasPrefix("steps[0]: the command has Windows line ends"))
    #expect(check.warnings[4].hasPrefix(#"steps[1]: "env": the "$" in "A""#))
  }

  @Test(arguments: [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian, .utf32])
  func definitionInAnotherEncodingIsNamed(_ encoding: String.Encoding) throws {
    let bytes = try #require(#"{"steps": ["true"]}"#.data(using: encoding))
    let refusal = try #require(throws: InvalidInput.self) { try JobDefinition(json: Array(bytes)) }
    #expect(refusal.description.hasPrefix("job.json is not UTF-8 but UTF-16 or the like; save it as UTF-8"))
  }

  @Test func unknownKeysAndFoldersThatAreNotThereAreWarnings() throws {
    let (check, folder) = try check("job", #"{"steps": [{"run": "b", "workingDirectory": "out", "x": 1}], "y": 2}"#)
    #expect(check.errors.isEmpty)
    #expect(
      check.warnings == [
        "\(folder)/job.json: the key steps[0].x is unknown and has no effect (line 1, column 52)",
        "\(folder)/job.json: the key y is unknown and has no effect (line 1, column 62)",
        #"steps[0]: workingDirectory "out" is not in the folder; an earlier step must create it"#,
      ])
  }

  @Test func variablesThatTheWorkerSetsAreTold() throws {
    let (check, _) = try check(
      "job",
      #"""
      {"env": {"JOB_ID": "x", "JOB_COLOR": "red", "STEP_0_STATUS": "x", "STEP_1_STATUS": "x"},
       "steps": [{"run": "true", "env": {"JOB_STATUS": "x", "STEP_0_STATUS": "x"}}, {"run": "true", "env": {"STEP_0_STATUS": "x"}}]}
      """#)
    #expect(
      check.warnings.map { String($0.prefix { $0 != "," }) } == [
        #""env": JOB_ID has no effect"#, #""env": STEP_0_STATUS has no effect"#,
        #"steps[0]: "env": JOB_STATUS has no effect"#, #"steps[1]: "env": STEP_0_STATUS has no effect"#,
      ])
  }
}
