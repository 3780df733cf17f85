"""Kills a tenth of a large fleet in the middle of its work, and says how long their jobs and queues take to go on, and whether a
job is lost or run twice. See Benchmarks/run.sh."""

import glob
import json
import os
import tempfile
import time

import report
from fleet import Fleet, await_condition, await_list, memory, parser, prepare
from scene import SHARED, Scene

# Every job appends a line; a long one ends only when it is begun again.
SHORT = 'echo $JOB_ATTEMPT >> "$JOB_RESULTS_DIR/../../runs/$JOB_ID"'
LONG = SHORT + '; [ "$JOB_ATTEMPT" -gt 1 ] || sleep 1000'


def options():
    options = parser("losses", __doc__)
    options.add_argument("--workers", type=int, default=1000, help="how many; each is two processes (default 1000)")
    options.add_argument("--jobs", type=int, default=2000, help="short ones (default 2000)")
    options.add_argument("--lease", type=int, default=30, help="in seconds (default 30)")
    return options.parse_args()


def make(scene, name, step):
    os.makedirs(f"{scene.jobs}/{name}")
    with open(f"{scene.jobs}/{name}/job.json", "w") as definition:
        json.dump({"steps": [step]}, definition)


def holders(scene):
    """The workers of the claims on the volume."""
    found = set()
    for path in glob.glob(f"{scene.jobs}/.worker/claims/long_*.json"):
        try:
            with open(path) as claim:
                found.add(json.load(claim)["worker"])
        except (FileNotFoundError, json.JSONDecodeError):
            pass
    return found


def ended(scene, names):
    return sum(os.path.exists(f"{scene.jobs}/{name}/results/result.json") for name in names)


def runs(scene, names):
    """How often each was begun."""
    found = {}
    for name in names:
        try:
            with open(f"{scene.jobs}/runs/{name}") as lines:
                found[name] = lines.read().count("\n")
        except FileNotFoundError:
            found[name] = 0
    return found


def play(scene, chosen):
    fleet = Fleet(scene, "worker", "--jobs", "0", "--lease", f"{chosen.lease}s")
    killed = chosen.workers // 10
    long, short = [f"long_{n}" for n in range(killed)], [f"short_{n}" for n in range(chosen.jobs)]
    os.makedirs(f"{scene.jobs}/runs")
    for name in long:
        make(scene, name, LONG)
    for name in short:
        make(scene, name, SHORT)
    try:
        fleet.start(map(fleet.name, range(chosen.workers)))
        started = time.monotonic()
        await_list(scene, "all workers in the list", lambda workers: sum(worker["answered"] for worker in workers) == chosen.workers)
        listed = time.monotonic() - started
        pss, _ = memory(fleet.processes())
        for name in long:
            scene.send(name, SHARED.split("/", 2)[2])
        await_condition("the long jobs", lambda: len(holders(scene)) == killed, 300)
        begin = time.monotonic()
        for name in short[: chosen.jobs // 2]:
            scene.send(name, SHARED.split("/", 2)[2])
        dead = holders(scene)
        fleet.kill(dead)
        moment = time.monotonic()
        for name in short[chosen.jobs // 2 :]:
            scene.send(name, SHARED.split("/", 2)[2])
        await_condition("the long jobs' results", lambda: ended(scene, long) == killed, 600)
        taken_over = time.monotonic() - moment
        await_condition("the short jobs' results", lambda: ended(scene, short) == len(short), 600)
        done = time.monotonic() - begin
        await_condition("the end of the dead workers' queues", lambda: not any(
            os.path.exists(f"{scene.jobs}/.worker/members/{name}.json") for name in dead), 600)
        adopted = time.monotonic() - moment
        again = sum(count > 1 for count in runs(scene, short).values())
        wrong = {name: count for name, count in runs(scene, long).items() if count != 2}
        lost = sum(count == 0 for count in runs(scene, short).values())
    finally:
        fleet.close()
    return [
        ["All listed, after the last was started", f"{listed:.1f} s"],
        ["Memory of a worker with its guardian (PSS)", f"{report.median(pss):.2f} MiB, at most {max(pss):.2f}"],
        [f"Killed in a job, with `kill -9`: {len(dead)}; all their jobs begun again and ended after", f"{taken_over:.1f} s"],
        ["All their queues taken over after", f"{adopted:.1f} s"],
        [f"{len(short):,} short jobs, sent before and after: all ended after", f"{done:.1f} s"],
        ["Short jobs lost; run twice; long jobs not begun twice", f"{lost}; {again}; {len(wrong)}"],
    ]


def main():
    chosen = options()
    prepare()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=chosen.place) as place:
        scene = Scene(f"{place}/fleet", chosen.programs)
        try:
            rows = play(scene, chosen)
        finally:
            scene.close()
    section = report.table(f"{chosen.workers:,} workers, of which a tenth is killed", ["", "seen"], rows,
                           f"A lease of {chosen.lease} s. The volume on {chosen.place}.")
    print(section)
    report.write(chosen.results, "losses.md", report.document(
        "What the death of a tenth of a fleet costs", f"Benchmarks/run.sh losses --workers {chosen.workers}", chosen.programs,
        [section], [], ""))


main()
