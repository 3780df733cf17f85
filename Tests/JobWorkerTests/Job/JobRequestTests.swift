import JobWorker
import Testing

struct JobRequestTests {
  @Test func idAloneIsARequest() throws {
    let request = try JobRequest(payload: Array(#"{"id": "job_2026_01"}"#.utf8))
    #expect(request == JobRequest(id: try JobID("job_2026_01")))
  }
}
