import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

struct JobsDirectoryTests {
  @Test(arguments: ["a", "job_2026_01", "a.b", "a.1", "1.2.json", "x.json"])
  func claimNameIsReadBackAsItWasMade(_ text: String) throws {
    let id = try JobID(text)
    let parsed = try #require(JobsDirectory.parseClaimName(JobsDirectory.claimName(id, 12)))
    #expect(parsed.id == id)
    #expect(parsed.attempt == 12)
  }

  @Test(arguments: ["a.json", "a.0.json", "a.-1.json", "a.1", "a.1.json.tmp", ".a.1.json", "a.x.json", "../a.1.json"])
  func otherNamesAreNoClaims(_ name: String) {
    #expect(JobsDirectory.parseClaimName(name) == nil)
  }

  @Test func queueOfAFilterIsOneFolder() {
    let directory = JobsDirectory("/v")
    #expect(
      directory.deferredFolder(of: "$share/g/jobs/+").string == "/v/.worker/waiting/%24share%2Fg%2Fjobs%2F%2B")
    #expect(directory.deferredFolder(of: "a.b%\u{e9}").name == "a%2Eb%25%C3%A9")
    #expect(directory.deferredFolder(of: "..").name == "%2E%2E")
  }

  @Test(arguments: [
    ("disk is being replaced\nuntil noon\n", "disk is being replaced"), ("", "no reason is given"),
    ("  \r\n", "no reason is given"), ("red \u{1B}[31m alert\r\n", #"red \u{001B}[31m alert"#),
    (String(repeating: "x", count: 5000), String(repeating: "x", count: 200) + "…"),
    (String(repeating: "x", count: 2 << 20), "no reason is given"),
  ])
  func killSwitchHaltsWhileItIsThereForTheReasonInItsFirstLine(_ text: String, _ reason: String) throws {
    let volume = try VolumeFixture()
    #expect(volume.directory.haltReason == nil)
    try volume.write(text, volume.directory.killSwitch)
    #expect(volume.directory.haltReason == reason)
    try FileManager.default.removeItem(atPath: volume.directory.killSwitch.string)
    #expect(volume.directory.haltReason == nil)
  }

  @Test func folderIsNoKillSwitchAndItsNameNoJob() throws {
    let volume = try VolumeFixture()
    try #require(mkdir(volume.directory.killSwitch.string, 0o755) == 0)
    #expect(volume.directory.haltReason == nil)
    let error = #expect(throws: InvalidInput.self) { try JobID("KILLSWITCH") }
    #expect(error?.description.contains("the name of the kill switch") == true)
  }

  @Test func jobExistsEvenAsALinkThatLeadsNowhere() throws {
    let volume = try VolumeFixture()
    let id = try JobID("job")
    #expect(!volume.directory.exists(id))
    try FileManager.default.createSymbolicLink(
      atPath: volume.jobs.appending("job").string, withDestinationPath: "/nowhere")
    #expect(volume.directory.exists(id))
  }
}
