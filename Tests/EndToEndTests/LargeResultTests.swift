import Glibc
import SystemPackage
import TestSupport
import Testing

/// A result.json that does not fit on the volume.
@Suite(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
struct LargeResultTests {
  /// A list of 2,000 empty artifacts takes about 500 KB; the step leaves 100 KB free.
  @Test func resultThatDoesNotFitIsWrittenShorterAndSaysSo() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "24m", at: scene.jobs) {
        try scene.job(
          "job",
          steps: [
            """
            for i in $(seq 2000); do : > artifact-$i; done
            fill="$JOB_RESULTS_DIR/../fill"; head -c 30000000 /dev/zero > "$fill"
            truncate -s -100000 "$fill"
            """
          ])
        let result = try await scene.outcome()
        #expect(result["jobId"] == "job")
        #expect(result["status"] == "success")
        #expect(result["steps"][0]["status"] == "success")
        #expect(result["artifacts"].elements.isEmpty)
        #expect(result["skipped"].elements.map { $0["path"] } == ["results/result.json"])
        #expect(result["skipped"][0]["reason"].text.contains("artifacts"))
        #expect(scene.claims.isEmpty)
      }
    }
  }
}
