import Glibc

extension ProcessTree {
  /// How long the remains of an earlier attempt may take to end.
  private static let patienceWithRemains = Duration.seconds(30)

  /// Ends what the steps of workers left behind that were killed together with their guardians, as far as cgroups tell. Call it
  /// at the start of a worker.
  package static func endAbandoned() { StepCgroup.endAbandoned() }

  /// Kills every process on this machine that carries `entry` in its environment, with all that descends from it, and
  /// returns when none is left but such as may not be signalled, or after 30 seconds: what hangs in the kernel with SIGKILL
  /// pending does nothing more in any case. Returns how many are left. Blocks meanwhile.
  ///
  /// For the remains of an earlier attempt of a job: its worker may be dead and its guardian still at work, or it may be
  /// frozen while its step runs on.
  package static func killAll(carrying entry: String) -> Int {
    let own = getpid()
    var sweep = ProcessSweep {
      let table = ProcessEntry.all()
      let roots = table.filter { $0.isAlive && $0.pid != own && $0.carries(entry) }
      return descendants(of: Set(roots.map(\.pid)), in: table).filter { $0.isAlive && $0.pid != own }
    }
    return sweep.run(until: .now + patienceWithRemains).count
  }
}
