import SystemPackage
import Testing

@testable import Client
@testable import Jobs

@Suite struct OutgoingRequestTests {
  @Test func requestIsReadAsItWasMeant() throws {
    let request = try OutgoingRequest(try JobID("a"), timeout: .seconds(90))
    let read = try JobRequest(payload: request.payload)
    #expect(read.id.text == "a" && read.timeout == .seconds(90) && read.steps == nil)
    #expect(read.requestID == request.requestID.text)
    #expect(try request.requestID != OutgoingRequest(try JobID("a")).requestID)
  }

  @Test func stepsGoAlongWithAllThatTheySay() throws {
    let volume = try Volume()
    let json = """
      {"steps": ["make", {"name": "n", "run": "r", "timeout": "10m", "env": {"A": "b"}, "workingDirectory": "src",
      "shell": ["bash", "-c"], "continueOnError": true, "always": true, "retries": 1, "retryDelay": 2}],
      "env": {"X": "y"}, "timeout": "1h"}
      """
    try volume.write(json, "a/job.json")
    let definition = try JobDefinition(json: Array(json.utf8))
    let request = try OutgoingRequest(try JobID("a"), carrying: definition, of: volume.root.appending("a"))
    let read = try JobRequest(payload: request.payload)
    #expect(JobDefinition(request: read) == definition)
    #expect(read.unknownKeys.isEmpty)
  }

  @Test func whatARequestCannotCarryIsRefused() throws {
    let volume = try Volume()
    try volume.write("{}", "a/job.json")
    let folder = volume.root.appending("a")
    #expect(throws: InvalidInput.self) {
      try OutgoingRequest(
        try JobID("a"), carrying: JobDefinition(steps: [Step(run: "x")], maxAttempts: 1), of: folder)
    }
    #expect(throws: InvalidInput.self) {
      var definition = JobDefinition(steps: [Step(run: "x")])
      definition.requiresApproval = true
      _ = try OutgoingRequest(try JobID("a"), carrying: definition, of: folder)
    }
    #expect(throws: InvalidInput.self) {
      let long = Step(run: String(repeating: "x", count: 300_000))
      _ = try OutgoingRequest(try JobID("a"), carrying: JobDefinition(steps: [long]), of: folder)
    }
    try volume.write("", "a/Makefile")
    #expect(throws: InvalidInput.self) {
      try OutgoingRequest(try JobID("a"), carrying: JobDefinition(steps: [Step(run: "x")]), of: folder)
    }
  }
}
