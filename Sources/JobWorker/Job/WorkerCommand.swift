/// What a worker is told to do by a message, as `{"command": "cancel", "id": "job_2026_01"}`.
public enum WorkerCommand: Equatable, Sendable {
  /// End a job: TERM, grace, KILL; its artifacts are kept.
  case cancel(JobID)

  /// The command that a payload of at most 64 KiB holds. Throws ``InvalidJob`` with a sentence that lists what is known.
  public init(payload: [UInt8]) throws(InvalidJob) {
    let example = "{\"command\": \"cancel\", \"id\": \"job_2026_01\"}"
    let fields = try JobFields(payload, subject: "the command", prefix: "", largest: 64 << 10)
    let members = try fields.members(like: example)
    try fields.refuseDuplicates()
    guard let word = members.first(where: { $0.key == "command" }), let id = members.first(where: { $0.key == "id" })
    else {
      throw fields.missing("\"command\" and \"id\" are both needed, like \(example)")
    }
    let text = try fields.string(word.value, "\"command\"", like: "\"cancel\"")
    guard text == "cancel" else {
      throw fields.invalid(
        "\(text.quoted) is not a command; the only one is \"cancel\", like \(example)", at: word.value)
    }
    self = .cancel(try JobID(try fields.string(id.value, "\"id\"", like: "\"job_2026_01\"")))
  }
}
