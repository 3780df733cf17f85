import SystemPackage
import Testing

@testable import Steps

struct StepEnvironmentTests {
  private let facts = StepEnvironment.Facts(
    jobID: "a", attempt: 2, workspace: "/w/a", results: "/j/a/results", workerID: "worker-01")

  @Test func theWorkersOwnVariablesAreThereButItsSecretsAreNot() {
    let environment = StepEnvironment(
      inherited: ["PATH": "/bin", "MQTT_PASSWORD": "x", "MQTT_URL": "y", "SECRET": "z", "1ST": "no name"],
      hiding: ["SECRET"])
    let variables = environment.variables(facts, stepIndex: 0, job: [:], step: [:])
    #expect(variables["PATH"] == "/bin")
    for name in ["MQTT_PASSWORD", "MQTT_URL", "SECRET", "1ST"] { #expect(variables[name] == nil) }
  }

  @Test func aStepKnowsItsJobAndItself() {
    let variables = StepEnvironment(inherited: [:]).variables(facts, stepIndex: 3, job: [:], step: [:])
    #expect(
      variables == [
        "CI": "true", "JOB_ID": "a", "JOB_ATTEMPT": "2", "JOB_WORKSPACE": "/w/a", "JOB_RESULTS_DIR": "/j/a/results",
        "STEP_INDEX": "3", "WORKER_ID": "worker-01", "JOB_STATUS": "success",
      ])
  }

  @Test func theStepWinsOverTheJobAndTheJobOverTheWorker() {
    let variables = StepEnvironment(inherited: ["A": "0", "B": "0", "C": "0"])
      .variables(facts, stepIndex: 0, job: ["B": "1", "C": "1", "CI": "no"], step: ["C": "2"])
    #expect(variables["A"] == "0")
    #expect(variables["B"] == "1")
    #expect(variables["C"] == "2")
    #expect(variables["CI"] == "no")
  }

  @Test func whatStepsHandOnComesBetweenTheJobAndTheStep() {
    let places = StepEnvironment.Places(temporary: "/t", environment: "/e", output: "/o")
    let environment = StepEnvironment(inherited: ["TMPDIR": "/worker", "JOB_ENV": "x"])
    let variables = environment.variables(
      facts, stepIndex: 0, job: ["A": "1", "B": "1", "C": "1"], handedOn: ["B": "2", "C": "2"],
      step: ["C": "3", "JOB_OUTPUT": "y"], places: places)
    #expect([variables["A"], variables["B"], variables["C"]] == ["1", "2", "3"])
    #expect([variables["TMPDIR"], variables["JOB_ENV"], variables["JOB_OUTPUT"]] == ["/t", "/e", "/o"])
    for (job, handedOn) in [(["TMPDIR": "/own"], [:]), ([:], ["TMPDIR": "/own"])] {
      let own = environment.variables(facts, stepIndex: 0, job: job, handedOn: handedOn, step: [:], places: places)
      #expect(own["TMPDIR"] == "/own")
    }
  }

  @Test func aJobCannotClaimToBeAnother() {
    let variables = StepEnvironment(inherited: [:])
      .variables(facts, stepIndex: 0, job: ["JOB_ID": "b"], step: ["JOB_WORKSPACE": "/etc", "STEP_INDEX": "9"])
    #expect(variables["JOB_ID"] == "a")
    #expect(variables["JOB_WORKSPACE"] == "/w/a")
    #expect(variables["STEP_INDEX"] == "0")
  }

  @Test func whatThisProcessWasStartedWithIsInherited() {
    #expect(StepEnvironment.inherited()["PATH"] != nil)
  }
}
