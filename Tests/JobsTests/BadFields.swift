@testable import Jobs

// The fields that requests and job.json have in common, and those that only one of them has.
extension BadInputsTests {
  static let badFields = badSteps + badStepFields + badTimeouts + badEnvironments

  // Row 11, and the steps of row 12 that fit into a payload.
  static let badSteps = [
    ("1", #""steps" is 1; an array of commands is expected, like ["make"] (line 2, column 10)"#),
    ("null", #""steps" is null; an array of commands is expected, like ["make"] (line 2, column 10)"#),
    (#""make""#, #""steps" is a string; an array of commands is expected, like ["make"] (line 2, column 10)"#),
    ("[]", #""steps" is empty; at least one step is expected, like ["make"] (line 2, column 10)"#),
    ("[null]", #"steps[0] is null; a step is a string or an object with "run" (line 2, column 11)"#),
    (#"["x", 5]"#, #"steps[1] is 5; a step is a string or an object with "run" (line 2, column 16)"#),
    (#"["x", []]"#, #"steps[1] is an array; a step is a string or an object with "run" (line 2, column 16)"#),
    (
      #"["x", ""]"#,
      #"steps[1]: the command is empty; write what the shell is to run, like "make" (line 2, column 16)"#
    ),
    (
      #"[{"run": ""}]"#,
      #"steps[0]: the command is empty; write what the shell is to run, like "make" (line 2, column 19)"#
    ),
    (
      #"["x", {}]"#, #"steps[1]: "run" is missing; a step is a string or an object with "run" (line 2, column 16)"#
    ),
    (
      #"["x", "y", "z", {"Run": "w"}]"#,
      #"steps[3]: "run" is missing; a step is a string or an object with "run" (line 2, column 26)"#
    ),
    (#"[{"run": 1}]"#, #"steps[0]: "run" is 1; a string is expected, like "make" (line 2, column 19)"#),
    (#"["\u0000"]"#, "steps[0]: the command holds a NUL, which no shell can be handed (line 2, column 11)"),
    (
      "[" + String(repeating: #""x","#, count: 10_000) + #""x"]"#,
      #""steps" holds 10001 steps; at most 10000 are taken (line 2, column 10)"#
    ),
  ].map { steps, answer in BadInput("{\"id\": \"a\",\n\"steps\": \(steps)}", answer) }

  // Rows 13 to 15 within a step, and the other keys of a step.
  static let badStepFields = [
    (#""name": 1"#, #""name" is 1; a string is expected, like "build""#),
    (#""env": 1"#, #""env" is 1; an object of strings is expected, like {"MODE": "release"}"#),
    (#""shell": "bash""#, #""shell" is a string; an array of strings is expected, like ["bash", "-c"]"#),
    (
      #""shell":[""# + String(repeating: "x", count: 131_072) + #""]"#,
      "shell[0] has 131072 bytes; Linux takes 131071"
    ),
    (#""shell": []"#, #""shell" is empty; an array of strings is expected, like ["bash", "-c"]"#),
    (#""shell":[1]"#, #"shell[0] is 1; a string is expected, like those in ["bash", "-c"]"#),
    (#""shell":[""]"#, #"shell[0] is empty; a program is expected, like that in ["bash", "-c"]"#),
    (#""shell":["\u0000"]"#, "shell[0] holds a NUL, which no program can be handed"),
    (#""continueOnError": "yes""#, #""continueOnError" is a string; true or false is expected"#),
    (#""always": 1"#, #""always" is 1; true or false is expected"#),
    (#""retries": 11"#, #""retries" is 11; a whole number from 0 to 10 is expected"#),
    (#""retries": -1"#, #""retries" is -1; a whole number from 0 to 10 is expected"#),
    (#""retries": 1.5"#, #""retries" is 1.5; a whole number from 0 to 10 is expected"#),
    (#""retries": true"#, #""retries" is true; a whole number from 0 to 10 is expected"#),
    (#""retryDelay": "-1s""#, #""retryDelay": "-1s" is not more than 0; \#(howToWrite)"#),
    (
      #""timeout": "soon""#,
      #""timeout": "soon" is not a duration; write it like 90s, 10m, 1h30m or 7d, or as a number of seconds"#
    ),
    (
      #""workingDirectory": "../..""#,
      #""workingDirectory" "../.." holds ".."; a path within the workspace is expected, like "src""#
    ),
    (
      #""workingDirectory": "a/../../b""#,
      #""workingDirectory" "a/../../b" holds ".."; a path within the workspace is expected, like "src""#
    ),
    (
      #""workingDirectory": "/""#,
      #""workingDirectory" "/" begins with "/"; a path within the workspace is expected, like "src""#
    ),
    (
      #""workingDirectory": """#,
      #""workingDirectory" "" is empty; a path within the workspace is expected, like "src""#
    ),
    (
      #""workingDirectory": "a\u0000""#,
      #""workingDirectory" "a\u{0000}" holds a NUL; a path within the workspace is expected, like "src""#
    ),
    (#""workingDirectory": {}"#, #""workingDirectory" is an object; a string is expected, like "src""#),
  ].map { field, answer in
    // The fault is in the value, two columns after the colon; an array element has no space before it.
    let column = field.prefix { $0 != ":" }.count + 4
    return BadInput(
      "{\"id\": \"a\", \"steps\": [{\"run\": \"x\",\n \(field)}]}",
      "steps[0]: \(answer) (line 2, column \(column))")
  }

  // Row 13.
  static let badTimeouts = [
    ("0", "0 is not more than 0; \(howToWrite)"),
    ("-5", "-5 is not more than 0; \(howToWrite)"),
    (#""-5m""#, #""-5m" is not more than 0; \#(howToWrite)"#),
    (#""0s""#, #""0s" is not more than 0; \#(howToWrite)"#),
    (#""soon""#, #""soon" is not a duration; \#(howToWrite)"#),
    (#""""#, #""" is not a duration; \#(howToWrite)"#),
    ("1e99", "1e99 is too long; at most 3650d is expected"),
    ("1e999", "1e999 is too long; at most 3650d is expected"),
    (#""3651d""#, #""3651d" is too long; at most 3650d is expected"#),
    ("1e-9", "1e-9 is too short; at least 1ms is expected"),
    ("null", #"null is not a duration; write a string like "10m", or a number of seconds"#),
    ("true", #"true is not a duration; write a string like "10m", or a number of seconds"#),
    ("[1]", #"an array is not a duration; write a string like "10m", or a number of seconds"#),
  ].map { timeout, answer in
    BadInput(
      "{\"id\": \"a\", \"steps\": [\"x\"],\n\"timeout\": \(timeout)}", "\"timeout\": \(answer) (line 2, column 12)")
  }

  private static let howToWrite = "write it like 90s, 10m, 1h30m or 7d, or as a number of seconds"

  // Row 14.
  static let badEnvironments = [
    ("[]", #""env" is an array; an object of strings is expected, like {"MODE": "release"}"#, 8),
    ("null", #""env" is null; an object of strings is expected, like {"MODE": "release"}"#, 8),
    (#"{"A=B": "1"}"#, #""env": "A=B" cannot name a variable: it holds a "="; \#(aName)"#, 9),
    (#"{"A\u0000": "1"}"#, #""env": "A\u{0000}" cannot name a variable: it holds a NUL; \#(aName)"#, 9),
    (#"{"": "1"}"#, #""env": "" cannot name a variable: it is empty; \#(aName)"#, 9),
    (#"{"2A": "1"}"#, #""env": "2A" cannot name a variable: it begins with a digit; \#(aName)"#, 9),
    (#"{"A": 1}"#, #""env": the value of "A" is 1; a string is expected, like "1""#, 14),
    (#"{"A": null}"#, #""env": the value of "A" is null; a string is expected, like "1""#, 14),
    (#"{"A": "\u0000"}"#, #""env": the value of "A" holds a NUL, which no variable can"#, 14),
    (
      #"{"A": ""# + String(repeating: "b", count: 131_070) + #""}"#,
      #""env": "A" and its value are 131071 bytes; Linux takes 131070"#, 14
    ),
  ].map { environment, answer, column in
    BadInput(
      "{\"id\": \"a\", \"steps\": [\"x\"],\n\"env\": \(environment)}", "\(answer) (line 2, column \(column))")
  }

  private static let aName = #"a name like "MODE" is expected"#

  static let badRequestIDs = [
    BadInput(
      #"{"id": "a", "requestId": 1}"#, #""requestId" is 1; a string is expected, like "order-4711" (line 1, column 26)"#
    ),
    BadInput(
      #"{"id": "a", "requestId": ""}"#,
      #""requestId" is empty; write a key that no other request has, or leave it out (line 1, column 26)"#),
  ]

  // Rows 10 to 12, where the answer names job.json.
  static let badDefinitions = [
    BadInput("", "job.json is not JSON: a value is expected, not the end of the text (line 1, column 1)"),
    BadInput(
      "{\"steps\": [\n  \"make\"\n  \"make test\"\n]}",
      #"job.json is not JSON: a "," or "]" is expected, not a double quote (line 3, column 3)"#),
    BadInput("[]", #"job.json is an array; an object is expected, like {"steps": ["make"]} (line 1, column 1)"#),
    BadInput(
      "\n {}",
      #"job.json: "steps" is missing; an array of commands is expected, like {"steps": ["make"]} (line 2, column 2)"#),
    BadInput(
      #"{"steps": ["x"], "steps": ["y"]}"#,
      #"job.json: the key "steps" is there twice, at line 1, column 2 and at line 1, column 18; keep one"#),
    BadInput(
      #"{"steps": [""# + String(repeating: "x", count: 2 << 20) + #""]}"#,
      """
      job.json: steps[0]: the command is 2097152 bytes; at most 1048576 (1 MiB) are taken; put it into a file of the \
      job's folder (line 1, column 12)
      """),
    BadInput(
      [UInt8](repeating: 0x20, count: (16 << 20) + 1),
      "job.json is 16777217 bytes; at most 16777216 (16 MiB) are taken"),
    BadInput(
      #"{"steps": ["x"], "maxAttempts": 0}"#,
      #"job.json: "maxAttempts" is 0; a whole number from 1 to 1000 is expected (line 1, column 33)"#),
    BadInput(
      #"{"steps": ["x"], "maxAttempts": 1.5}"#,
      #"job.json: "maxAttempts" is 1.5; a whole number from 1 to 1000 is expected (line 1, column 33)"#),
    BadInput(
      #"{"steps": ["x"], "maxAttempts": "3"}"#,
      #"job.json: "maxAttempts" is a string; a whole number from 1 to 1000 is expected (line 1, column 33)"#),
    BadInput(
      #"{"steps": ["x"], "requireApproval": "yes"}"#,
      #"job.json: "requireApproval" is a string; true or false is expected (line 1, column 37)"#),
  ]
}
