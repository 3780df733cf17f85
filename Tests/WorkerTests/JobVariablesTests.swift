import Testing

@testable import Jobs
@testable import Steps
@testable import Worker

struct JobVariablesTests {
  @Test func laterValuesCount() throws {
    var variables = JobVariables()
    try add(["A": "1", "B": "1"], .environment, to: &variables)
    try add(["B": "2"], .environment, to: &variables)
    try add(["A": "3"], .output, to: &variables)
    #expect(variables.environment == ["A": "1", "B": "2"])
    #expect(variables.outputs == ["A": "3"])
  }

  @Test func aMebibyteInAllIsTheMost() throws {
    var variables = JobVariables()
    let value = String(repeating: "x", count: (1 << 16) - 1)
    for name in "abcdefghijklmnop" { try add([String(name): value], .output, to: &variables) }
    let before = variables
    #expect(throws: VariableFault.self) { try add(["C": ""], .output, to: &variables) }
    #expect(variables == before)
    try add(["C": ""], .environment, to: &variables)
  }

  @Test func secretsThatWereReplacedAreKeptUpToALimit() throws {
    var variables = JobVariables()
    try variables.add(VariableLines(Array("A_TOKEN=1\nA_TOKEN=2\nB=3\n".utf8)), from: .environment, SecretNames())
    try add(["A_TOKEN": "4"], .output, to: &variables)
    try add(["A_TOKEN": "5"], .environment, to: &variables)
    #expect(variables.secrets == ["1", "2", "4", "5"])
    #expect(throws: VariableFault.self) {
      for number in 0..<12 {
        try add(["A_TOKEN": "\(number)" + String(repeating: "x", count: 100_000)], .environment, to: &variables)
      }
    }
    #expect(variables.secrets.count < 16)
  }

  private func add(
    _ values: [String: String], _ kind: StepFiles.Kind, to variables: inout JobVariables
  ) throws {
    let text = values.map { "\($0.key)=\($0.value)\n" }.joined()
    try variables.add(VariableLines(Array(text.utf8)), from: kind, SecretNames())
  }
}
