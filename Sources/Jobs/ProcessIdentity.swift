/// A process, identified for all time: the kernel reuses pids, but within one boot not a pair of pid and start time
/// (proc_pid_stat(5), field 22).
package struct ProcessIdentity: Codable, Sendable, Equatable {
  /// The host name.
  package var host: String
  /// The kernel's random id of this boot.
  package var bootId: String
  /// The process id in its PID namespace.
  package var pid: Int32
  /// The start time, in clock ticks since boot.
  package var startTime: String
  /// The PID namespace, as the link `/proc/self/ns/pid` reads.
  package var pidNamespace: String

  /// A process with these values.
  package init(host: String, bootId: String, pid: Int32, startTime: String, pidNamespace: String) {
    self.host = host
    self.bootId = bootId
    self.pid = pid
    self.startTime = startTime
    self.pidNamespace = pidNamespace
  }
}

extension ProcessIdentity {
  package init?(_ json: JSONValue, in text: JSONText) {
    guard let host = json["host"]?.string, let bootId = json["bootId"]?.string,
      let startTime = json["startTime"]?.string, let pidNamespace = json["pidNamespace"]?.string,
      let pid = json["pid"], case .number(let end) = pid.content, let number = Int32(text.number(pid, end: end))
    else { return nil }
    self.init(host: host, bootId: bootId, pid: number, startTime: startTime, pidNamespace: pidNamespace)
  }
}
