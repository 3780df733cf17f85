import Testing

@testable import Jobs
@testable import Worker

struct JobVariablesTests {
  @Test func laterValuesCount() throws {
    var variables = JobVariables()
    try variables.add(["A": "1", "B": "1"], from: .environment)
    try variables.add(["B": "2"], from: .environment)
    try variables.add(["A": "3"], from: .output)
    #expect(variables.environment == ["A": "1", "B": "2"])
    #expect(variables.outputs == ["A": "3"])
  }

  @Test func aMebibyteInAllIsTheMost() throws {
    var variables = JobVariables()
    let value = String(repeating: "x", count: (1 << 19) - 1)
    try variables.add(["A": value], from: .output)
    try variables.add(["B": value], from: .output)
    let before = variables
    #expect(throws: VariableFault.self) { try variables.add(["C": ""], from: .output) }
    #expect(variables == before)
    try variables.add(["C": ""], from: .environment)
  }
}
