"""A fleet of workers, what the kernel tells of them, and what the fleet's own commands tell."""

import argparse
import json
import resource
import signal
import subprocess
import sys
import time

from processes import children, pss, wakeups
from scene import SHARED


def parser(kind, description):
    """The options that all benchmarks of fleets have."""
    made = argparse.ArgumentParser(prog=f"Benchmarks/run.sh {kind}", description=description)
    made.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    made.add_argument("--results", required=True, help="a folder for the page (default Benchmarks/results)")
    made.add_argument("--place", default="/dev/shm", help="a folder for the volume (default /dev/shm, a tmpfs)")
    return made


def prepare():
    """However it ends, what it started is ended, by `finally`. The broker has two connections for each worker."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Fleet:
    """Workers by their ids. Each is started in a session of its own, and ended by its pid."""

    def __init__(self, scene, prefix, *options):
        self.scene, self.prefix, self.options = scene, prefix, options
        self.workers = {}

    def start(self, ids):
        for name in ids:
            self.workers[name] = self.scene.start(self.scene.ours(name, *self.options, topic=SHARED))

    def name(self, number):
        return f"{self.prefix}-{number}"

    def processes(self):
        """Of each worker that runs: its pids, its guardian's included."""
        return {name: [worker.pid, *children(worker.pid)] for name, worker in self.workers.items() if worker.poll() is None}

    def kill(self, names):
        for name in names:
            self.workers[name].kill()
        for name in names:
            self.workers.pop(name).wait()

    def send(self, number, names):
        for name in names:
            self.workers[name].send_signal(number)

    def leave(self):
        """Has all leave; returns their exit statuses."""
        self.send(signal.SIGTERM, self.workers)
        ends = [worker.wait(60) for worker in self.workers.values()]
        self.workers.clear()
        return ends

    def close(self):
        """Ends what is left, without asking."""
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        self.workers.clear()


class Usage:
    """What processes have used between two moments."""

    def __init__(self, processes):
        self.pids = [pid for pids in processes.values() for pid in pids]
        self.begin = time.monotonic()
        self.cpu_before, self.wakeups_before = cpu(self.pids), wakeups(self.pids)

    def end(self):
        """Seconds, seconds of CPU, and wake-ups of all of them."""
        woken = wakeups(self.pids)
        return (time.monotonic() - self.begin, cpu(self.pids) - self.cpu_before,
                sum(count - self.wakeups_before.get(thread, 0) for thread, count in woken.items()))


def cpu(pids):
    """Seconds on a processor, of all threads that there are and were: by the process's own clock, to the nanosecond, where
    /proc/<pid>/stat counts ticks. Its id is what clock_getcpuclockid(3) makes of a pid."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def own_memory(pid):
    """KiB that a process has for itself, whoever shares its libraries: they came and go with others."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:"))


def memory(processes):
    """PSS of each worker with its guardian, in MiB, and the same of the workers' own processes."""
    whole = [sum(map(pss, pids)) / 1024 for pids in processes.values()]
    own = [pss(pids[0]) / 1024 for pids in processes.values()]
    return whole, own


def listed(scene):
    """What `workers` lists, and the seconds that it took."""
    begin = time.monotonic()
    command = [scene.program("mqtt-fs-worker"), "workers", "--json", "-u", f"mqtt://127.0.0.1:{scene.broker.port}", "--log-level", "error"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=scene.environment)
    return json.loads(run.stdout), time.monotonic() - begin


def await_list(scene, what, condition, limit=120):
    """Lists again and again until it is as `condition` says; returns the list and when it was got."""
    deadline = time.monotonic() + limit
    while True:
        workers, _ = listed(scene)
        if condition(workers):
            return workers, time.monotonic()
        assert time.monotonic() < deadline, f"{what}: {summary(workers)} after {limit} s"


def summary(workers):
    states = [worker["state"] for worker in workers]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states))) or "nobody"


def await_condition(what, condition, limit=120):
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit} s"
        time.sleep(0.002)
