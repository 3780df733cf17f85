import Client
import Jobs

/// The jobs on a volume as metrics, in the text format of Prometheus.
///
/// They are gauges, not counters: a job that is sent again or removed changes its count.
struct JobMetrics {
  private let jobs: [JobSummary]
  private let now: Timestamp

  init(_ jobs: [JobSummary], at now: Timestamp = .now) {
    (self.jobs, self.now) = (jobs, now)
  }

  private static let quantiles = [0.5, 0.9, 1]

  var text: String {
    var lines: [String] = []
    head("jobs", "Jobs on the volume, by state", &lines)
    for state in JobState.allCases {
      lines.append("mqtt_fs_worker_jobs{state=\"\(state.rawValue)\"} \(jobs.count { $0.state == state })")
    }
    head("finished_jobs", "Finished jobs on the volume, by how their last run ended", &lines)
    for status in JobStatus.allCases {
      lines.append("mqtt_fs_worker_finished_jobs{status=\"\(status.rawValue)\"} \(jobs.count { $0.status == status })")
    }
    head("finished_job_duration_seconds", "How long they took, as quantiles", &lines)
    for status in JobStatus.allCases {
      let durations = jobs.filter { $0.status == status }.compactMap(\.durationMs).sorted()
      guard !durations.isEmpty else { continue }
      for quantile in JobMetrics.quantiles {
        let index = min(durations.count - 1, Int((Double(durations.count) * quantile).rounded(.up)) - 1)
        lines.append(
          "mqtt_fs_worker_finished_job_duration_seconds{status=\"\(status.rawValue)\",quantile=\"\(quantile)\"} "
            + "\(Double(durations[max(0, index)]) / 1000)")
      }
    }
    head(
      "oldest_job_age_seconds", "For how long the oldest job has been in a state, by the time when that began", &lines)
    for state in [JobState.running, .queued, .awaitingApproval] {
      let times = jobs.filter { $0.state == state }.compactMap(\.since).compactMap { Timestamp($0) }
      let age = times.min().map { max(0, now.millisecondsSince1970 - $0.millisecondsSince1970) } ?? 0
      lines.append("mqtt_fs_worker_oldest_job_age_seconds{state=\"\(state.rawValue)\"} \(Double(age) / 1000)")
    }
    head("undelivered_results", "Results that the broker has refused, and that are tried again", &lines)
    lines.append("mqtt_fs_worker_undelivered_results \(jobs.count { $0.undelivered != nil })")
    return lines.map { "\($0)\n" }.joined()
  }

  private func head(_ name: String, _ help: String, _ lines: inout [String]) {
    lines += ["# HELP mqtt_fs_worker_\(name) \(help)", "# TYPE mqtt_fs_worker_\(name) gauge"]
  }
}
