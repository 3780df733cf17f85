import FileTree
import Testing

@testable import mqtt_fs_worker

@Suite struct ProgressLineTests {
  @Test(arguments: [
    (1, Int64(1023), 1, "staging job_1: 1 file, 1023 B, 1023 B/s"),
    (12345, Int64(3) << 29, 2, "staging job_1: 12345 files, 1.5 GiB, 768.0 MiB/s"),
    (0, Int64(0), 3, "staging job_1: 0 files, 0 B, 0 B/s"),
  ]) func lineTellsFilesBytesAndRate(_ files: Int, _ bytes: Int64, _ seconds: Int, _ line: String) {
    let progress = CopyProgress(files: files, bytes: bytes, elapsed: .seconds(seconds))
    #expect(ProgressLine.text("staging job_1", progress) == line)
  }
}
