import Testing

@testable import Jobs

struct JobDefinitionTests {
  @Test func everyKeyIsRead() throws {
    let json = """
      {"steps": ["npm ci", {"name": "build", "run": "make", "timeout": "10m", "env": {"CC": "clang"},
                 "workingDirectory": "src", "shell": ["bash", "-euo", "pipefail", "-c"], "continueOnError": true,
                 "always": false, "retries": 2, "retryDelay": "10s"}],
       "env": {"MODE": "release"}, "timeout": "1h", "maxAttempts": 1}
      """
    let definition = try JobDefinition(json: Array(json.utf8))
    var build = Step(
      run: "make", name: "build", shell: ["bash", "-euo", "pipefail", "-c"], environment: ["CC": "clang"],
      workingDirectory: "src", timeout: .seconds(600), continueOnError: true, always: false)
    (build.retries, build.retryDelay) = (2, .seconds(10))
    #expect(
      definition
        == JobDefinition(
          steps: [Step(run: "npm ci"), build], environment: ["MODE": "release"], timeout: .seconds(3600),
          maxAttempts: 1))
  }

  @Test func approvalIsRequiredIfTheFileSaysSoWhateverTheRequestSays() throws {
    for (text, expected) in [("true", true), ("false", false)] {
      let definition = try JobDefinition(json: Array(#"{"steps": ["x"], "requireApproval": \#(text)}"#.utf8))
      #expect(definition.requiresApproval == expected && definition.unknownKeys.isEmpty)
      let request = try JobRequest(payload: Array(#"{"id": "a", "steps": ["y"], "requireApproval": false}"#.utf8))
      #expect(request.unknownKeys.map(\.path) == ["requireApproval"])
      #expect(definition.overlaid(with: request).requiresApproval == expected)
    }
    #expect(try !JobDefinition(json: Array(#"{"steps": ["x"]}"#.utf8)).requiresApproval)
  }

  @Test func stepThatIsAStringRunsInThePosixShell() throws {
    let definition = try JobDefinition(json: Array(#"{"steps": ["make"]}"#.utf8))
    #expect(definition.steps[0].shell == ["/bin/sh", "-c"])
    #expect(definition.steps == [Step(run: "make")])
  }

  @Test func tenThousandStepsAndACommandOf1MiBAreTaken() throws {
    let long = String(repeating: "x", count: 1 << 20)
    let json = "{\"steps\": [\"\(long)\"" + String(repeating: ",\"y\"", count: 9999) + "]}"
    let definition = try JobDefinition(json: Array(json.utf8))
    #expect(definition.steps.count == 10_000)
    #expect(definition.steps[0].run == long)
  }

  @Test(arguments: ["src", ".", "./src/a", "a..b", "...", "a//b/", "-x", "~"])
  func workingDirectoryWithinTheWorkspaceIsTaken(path: String) throws {
    let json = #"{"steps": [{"run": "x", "workingDirectory": "\#(path)"}]}"#
    #expect(try JobDefinition(json: Array(json.utf8)).steps[0].workingDirectory == path)
  }

  @Test func unknownKeysAreKeptForAWarning() throws {
    let json = #"{"id": "a", "steps": [{"run": "x", "timeOut": 1}]}"#
    #expect(try JobDefinition(json: Array(json.utf8)).unknownKeys.map(\.path) == ["id", "steps[0].timeOut"])
  }

  @Test func requestIsAJobOfItsOwnOnlyWithSteps() throws {
    let id = try JobID("a")
    #expect(JobDefinition(request: JobRequest(id: id)) == nil)
    let request = JobRequest(id: id, steps: [Step(run: "x")], environment: ["A": "1"], timeout: .seconds(1))
    #expect(
      JobDefinition(request: request)
        == JobDefinition(steps: [Step(run: "x")], environment: ["A": "1"], timeout: .seconds(1)))
  }

  @Test func requestIsLaidOverTheJob() throws {
    let id = try JobID("a")
    let job = JobDefinition(
      steps: [Step(run: "x")], environment: ["A": "1", "B": "1"], timeout: .seconds(1), maxAttempts: 2)
    #expect(job.overlaid(with: JobRequest(id: id)) == job)
    let request = JobRequest(id: id, steps: [Step(run: "y")], environment: ["B": "2", "C": "2"], timeout: .seconds(2))
    #expect(
      job.overlaid(with: request)
        == JobDefinition(
          steps: [Step(run: "y")], environment: ["A": "1", "B": "2", "C": "2"], timeout: .seconds(2), maxAttempts: 2))
  }
}
