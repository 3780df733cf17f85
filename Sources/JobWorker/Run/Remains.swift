import Glibc

extension ProcessTree {
  /// Kills every process on this machine that carries `entry` in its environment, with all that descends from it, and
  /// returns when none is left but such as may not be signalled. Blocks meanwhile.
  ///
  /// For the remains of an earlier attempt of a job: its worker may be dead and its guardian still at work, or it may be
  /// frozen while its step runs on.
  static func killAll(carrying entry: String) {
    var refused: Set<ProcessEntry.Identity> = []
    while true {
      let table = ProcessEntry.all()
      let roots = table.filter { $0.isAlive && $0.pid != getpid() && $0.carries(entry) }
      let left = descendants(of: Set(roots.map(\.pid)), in: table)
        .filter { $0.isAlive && !refused.contains($0.identity) }
      guard !left.isEmpty else { return }
      for process in left where kill(process) == .refused { refused.insert(process.identity) }
      // The kernel takes a moment to end what is killed.
      usleep(1000)
    }
  }
}
