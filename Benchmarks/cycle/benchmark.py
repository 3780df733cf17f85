"""Runs the benchmark of a job's cycle. See Benchmarks/run.sh."""

import argparse
import tempfile

import dependencies
import drain
import idle
import one_job
import pickup
import pump
import report
from figures import median, percentile
from report import OURS
from scene import SHARED, SHELL, TOPIC, Scene

PARTS = ["job", "pickup", "drain", "idle", "log", "tree"]


def options():
    parser = argparse.ArgumentParser(prog="Benchmarks/run.sh cycle", description=__doc__)
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=21, help="how often each tool runs one job (default 21)")
    parser.add_argument("--pickups", type=int, default=101, help="how many requests are timed (default 101)")
    parser.add_argument("--drains", default="100,1000", help="how many jobs are queued (default 100,1000)")
    parser.add_argument("--drain-rounds", type=int, default=3, help="how often a queue of 100 is drained; a longer one less often (default 3)")
    parser.add_argument("--log-rounds", type=int, default=7, help="how often each log is written (default 7)")
    parser.add_argument("--idle-seconds", type=int, default=30, help="how long an idle worker is watched (default 30)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)} (default: all)")
    parser.add_argument("--tree-rounds", type=int, default=7, help="how often each tool copies the files of dependencies (default 7)")
    parser.add_argument("--on", default="tmpfs,disk", help="tmpfs, disk or both")
    parser.add_argument("--reflink", help="a folder on a file system with reflinks (XFS, Btrfs), for the part tree")
    parser.add_argument("--tmpfs", default="/dev/shm", help="a folder on a tmpfs (default /dev/shm)")
    parser.add_argument("--disk", default=".build", help="a folder on the disk (default .build)")
    return parser.parse_args()


class Page:
    """The sections of the result, said as they come."""

    def __init__(self):
        self.sections, self.plots = [], []

    def add(self, section):
        self.sections.append(section)
        print(section, flush=True)

    def spread(self, figures):
        return {tool: (1000 * median(f.wall), 1000 * min(f.wall), 1000 * max(f.wall)) for tool, f in figures.items()}


def pickups(samples):
    rows = []
    for (way, tool), values in samples.items():
        rows.append([f"{tool}, {way}"] + [report.milliseconds(value) for value in (
            percentile(values, 50), percentile(values, 99), min(values), max(values))])
    return report.table(
        "From request to step", ["", "p50 ms", "p99 ms", "min", "max"], rows,
        "From the publication to the step's first instruction, for a worker that waits; for a request that waits, queued or "
        "retained, from the start of the worker.")


def rates(figures, jobs, volume):
    first = median(next(iter(figures.values())).wall)
    rows = [[way, f"{jobs / median(f.wall):,.0f}", f"{first / median(f.wall):.2f}", report.milliseconds(median(f.wall))]
            for way, f in figures.items()]
    return report.table(f"{jobs:,} queued jobs, {volume}", ["", "jobs a second", "times the first", "ms in all"], rows)


def logs(page, scene, chosen, volume):
    for mode, title in pump.MODES.items():
        figures = pump.run(scene, mode, chosen.log_rounds)
        rows = [[tool, report.milliseconds(median(f.wall)), report.milliseconds(min(f.wall)), report.milliseconds(max(f.wall)),
                 f"{median(figures[pump.CAT].wall) / median(f.wall):.2f}"] for tool, f in figures.items()]
        page.add(report.table(f"Log of a step, {title}, {volume}", ["", "median ms", "min", "max", f"times as fast as `{pump.CAT}`"], rows))


def copies(page, title, figures):
    rows = [[tool, report.milliseconds(median(f.wall)), report.milliseconds(min(f.wall)), report.milliseconds(max(f.wall)),
             f"{median(f.wall) / median(next(iter(figures.values())).wall):.2f}"] for tool, f in figures.items()]
    page.add(report.table(title, ["", "median ms", "min", "max", "times the first"], rows))


def trees(page, scene, rounds, volume):
    """What the files of dependencies cost."""
    small, large = f"{scene.place}/small", f"{scene.place}/large"
    try:
        dependencies.make_small(small)
        if volume == "tmpfs":
            copies(page, f"30,000 small files, from the step's end to the result, {volume}", dependencies.sync(scene, small, rounds))
        copies(page, f"30,000 small files, to the workspace, {volume}", dependencies.staging(scene, small, rounds, dependencies.COPY))
        if volume != "tmpfs":
            dependencies.make_large(large)
            copies(page, f"100 files of 8 MiB, to the workspace, {volume}",
                   dependencies.staging(scene, large, rounds, dependencies.BYTES, dependencies.COPY))
    finally:
        scene.close()


def measure(page, chosen, volume, place):
    wanted = chosen.parts.split(",")
    number = 0

    def scene():
        nonlocal number
        number += 1
        return Scene(f"{place}/{number}", chosen.programs)

    one = scene()
    try:
        if "job" in wanted:
            figures = one_job.run(one, chosen.rounds)
            page.add(report.cost(f"One waiting trivial job, {volume}", figures, SHELL))
            page.plots.append((f"One job, {volume}", page.spread(figures)))
        if "pickup" in wanted:
            page.add(pickups(pickup.run(one, chosen.pickups)).replace("From request to step", f"From request to step, {volume}"))
        if "idle" in wanted and volume == "tmpfs":
            tools = {
                OURS: [one.ours("idle")],
                f"{OURS}, each of 20": [one.ours(f"idle-{number}", topic=SHARED) for number in range(20)],
                "mosquitto_sub": [["mosquitto_sub", "-p", str(one.broker.port), "-t", TOPIC]],
            }
            found = idle.run(one, chosen.idle_seconds, tools)
            rows = [[tool, f"{kib / 1024:.1f}", f"{rate:.2f}"] for tool, (kib, rate) in found.items()]
            page.add(report.table(
                "An idle worker", ["", "PSS MiB", "wake-ups a second"], rows,
                "With its guardian. A page of the program that is in memory once for several workers counts to each in part."))
        if "log" in wanted and volume == "tmpfs":
            logs(page, one, chosen, volume)
    finally:
        one.close()
    if "tree" in wanted and volume == "tmpfs":
        trees(page, scene(), chosen.tree_rounds, volume)
    if "drain" in wanted:
        for jobs in map(int, chosen.drains.split(",")):
            if jobs > 100 and volume == "disk":
                continue  # The rate is that of the short queue, and the disk's.
            figures = drain.run(scene, jobs, max(1, chosen.drain_rounds * 100 // jobs))
            page.add(rates(figures, jobs, volume))
            page.plots.append((f"{jobs:,} queued jobs, {volume}", page.spread(figures)))


def main():
    chosen = options()
    page = Page()
    for volume in chosen.on.split(","):
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=chosen.tmpfs if volume == "tmpfs" else chosen.disk) as place:
            measure(page, chosen, volume, place)
    if chosen.reflink and "tree" in chosen.parts.split(","):
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=chosen.reflink) as place:
            trees(page, Scene(f"{place}/1", chosen.programs), chosen.tree_rounds, "with reflinks")
    plots = [("cycle.svg", "Medians")] if page.plots else []
    if plots:
        report.write(chosen.results, "cycle.svg", report.bars("A job's cycle", "ms", page.plots))
    note = f"{chosen.rounds} rounds, the tools in turn; medians. CPU and memory include all processes that a tool starts."
    report.write(chosen.results, "cycle.md", report.document(
        "A job's cycle", "Benchmarks/run.sh cycle", chosen.programs, page.sections, plots, note))


main()
