"""Counts what a whole fleet of waiting workers asks of its volume, for several sizes: system calls that name, look at or change
a file, by the kernel's tracepoints. Needs root, perf, and a cgroup of version 2. See Benchmarks/run.sh."""

import os
import subprocess
import tempfile
import time

import report
from fleet import Fleet, await_list, parser, prepare
from scene import Scene

CALLS = ["openat", "openat2", "newfstat", "newfstatat", "statx", "utimensat", "getdents64", "renameat", "renameat2", "unlinkat",
         "mkdirat", "statfs", "fsync", "fdatasync"]


def options():
    options = parser("calls", __doc__)
    options.add_argument("--sizes", default="50,100,200,500,1000", help="numbers of workers (default 50,100,200,500,1000)")
    options.add_argument("--lease", type=int, default=30, help="in seconds; they are watched for two (default 30)")
    return options.parse_args()


def cgroups():
    """Where cgroups of version 2 are."""
    with open("/proc/mounts") as mounts:
        return next(fields[1] for fields in map(str.split, mounts) if fields[2] == "cgroup2")


def counted(group, seconds):
    """Calls of the processes of a cgroup, by their names."""
    command = ["perf", "stat", "-a", "-x", ",", "-e", ",".join(f"syscalls:sys_enter_{call}" for call in CALLS),
               "-G", ",".join([group] * len(CALLS)), "--", "sleep", str(seconds)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [line.split(",") for line in run.stderr.splitlines() if line.count(",") > 3]
    return {fields[2].removeprefix("syscalls:sys_enter_"): int(fields[0]) if fields[0].isdigit() else 0 for fields in lines}


def measure(chosen, size, place, folder, group):
    scene = Scene(f"{place}/fleet-{size}", chosen.programs)
    fleet = Fleet(scene, "worker", "--lease", f"{chosen.lease}s")
    try:
        fleet.start(map(fleet.name, range(size)))
        begin = time.monotonic()
        await_list(scene, "all workers in the list", lambda workers: sum(worker["answered"] for worker in workers) == size)
        listed = time.monotonic() - begin
        for pids in fleet.processes().values():
            for pid in pids:
                with open(f"{folder}/cgroup.procs", "w") as procs:
                    procs.write(str(pid))
        # The first looks, and what follows from so many starts at once, are over.
        time.sleep(chosen.lease)
        seconds = 2 * chosen.lease
        calls = counted(group, seconds)
    finally:
        fleet.close()
        scene.close()
    total = sum(calls.values()) / seconds
    most = sorted(calls.items(), key=lambda item: -item[1])[:5]
    return [str(size), f"{listed:.1f} s", f"{total:,.1f}", f"{total / size:.2f}", ", ".join(f"{name} {count / seconds:,.0f}" for name, count in most)]


def main():
    chosen = options()
    prepare()
    group = f"fleet-{os.getpid()}"
    folder = f"{cgroups()}/{group}"
    os.mkdir(folder)
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=chosen.place) as place:
            rows = []
            for size in map(int, chosen.sizes.split(",")):
                rows.append(measure(chosen, size, place, folder, group))
                print(*rows[-1], sep=" | ", flush=True)
    finally:
        os.rmdir(folder)
    note = f"A lease of {chosen.lease} s; counted for two of them, after a first one. The volume on {chosen.place}."
    section = report.table(
        "What workers that wait ask of a volume", ["workers", "all listed after", "calls a second", "of each", "most of them"],
        rows, note)
    report.write(chosen.results, "calls.md", report.document(
        "What a fleet asks of its volume", "Benchmarks/run.sh calls", chosen.programs, [section], [], ""))


main()
