"""Starts a fleet of workers that wait, and measures what they cost and whether they are all seen. See Benchmarks/run.sh."""

import tempfile
import time

import course
import report
from fleet import parser, prepare
from report import milliseconds
from scene import Scene

# The broker's own counters, which it publishes once a second.
SETTINGS = "sys_interval 1\n"


def options():
    options = parser("fleet", __doc__)
    options.add_argument("--workers", type=int, default=200, help="how many; each is two processes (default 200)")
    options.add_argument("--idle-seconds", type=int, default=60, help="how long they are watched waiting (default 60)")
    options.add_argument("--beat-workers", type=int, default=10, help="how many are compared with and without heartbeats (default 10)")
    options.add_argument("--beat-seconds", type=int, default=60, help="for how long (default 60)")
    options.add_argument("--rounds", type=int, default=5, help="how often they are listed and commanded (default 5)")
    return options.parse_args()


def seconds(value):
    return f"{value:.2f} s"


def spread(samples, unit="MiB"):
    return f"{report.median(samples):.2f} {unit}, at most {max(samples):.2f}"


def asked(found, count):
    rows = [
        [f"Started, and listed by `workers` ({count})", f"{found.listed_count}, {seconds(found.listed_after)} after the last was started, {seconds(found.listed_in_all)} after the first"],
        ["A list takes, by then", f"{seconds(report.median(found.listing))}, at most {seconds(max(found.listing))}"],
        ["Answers to a command to all", f"{found.answers} of {count}; the last after {milliseconds(report.median(found.answer_times))} ms, at most {milliseconds(max(found.answer_times))} ms"],
        [f"Killed with `kill -9` ({found.killed}), and listed as lost", f"{found.lost}, after {seconds(found.lost_after)}; {found.listed_with_lost} of {count} listed"],
        [f"Frozen ({found.frozen}), until the broker said that they are lost", f"{spread(found.frozen_for, 's')}; a keep-alive is 15 s, 1.5 are 22.5 s"],
        ["Killed and frozen ones back, and listed", f"{found.back} of {count}"],
        ["Listed after all had left", f"{found.ghosts}; all exited with 0 within {seconds(found.left_in)}" if not any(found.ends) else f"{found.ghosts}; exit statuses {sorted(set(found.ends))}"],
    ]
    return report.table(f"{count} workers: are they all seen?", ["", "seen"], rows)


def cost(found, count):
    rate, beats = found.messages, found.beats
    rows = [
        ["Memory of a worker with its guardian (PSS)", spread(found.pss)],
        ["Memory of its own process (PSS)", spread(found.own_pss)],
        ["CPU of a worker that waits", f"{1000 * found.cpu:.2f} ms a second"],
        ["Wake-ups of a worker that waits", f"{found.wakeups:.2f} a second"],
        ["CPU of a heartbeat", f"{1000 * beats.cpu:.3f} ms; {beats.count:,} heartbeats of {beats.workers} workers, against {beats.workers} with none"],
        ["Memory of the broker, for each worker", f"{found.broker_memory:.1f} KiB"],
        ["CPU of the broker, for each worker", f"{1000 * found.broker_cpu:.3f} ms a second"],
        ["Packets to the broker, of all workers", f"{rate.received:.1f} a second, {rate.received / count:.3f} for each"],
        ["Packets from the broker", f"{rate.sent:.1f} a second, {rate.sent / count:.3f} for each"],
        ["Of these, statuses", f"{rate.statuses:.1f} a second"],
    ]
    note = f"Watched for {found.watched:.0f} s, with the defaults: a heartbeat of 15 s, a lease of 30 s, a keep-alive of 15 s."
    return report.table(f"What {count} workers that wait cost", ["", ""], rows, note)


def main():
    chosen = options()
    prepare()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=chosen.place) as place:
        scene = Scene(f"{place}/fleet", chosen.programs, SETTINGS)
        try:
            found = course.run(scene, chosen)
        finally:
            scene.close()
    sections = [asked(found, chosen.workers), cost(found, chosen.workers)]
    print("\n".join(sections))
    note = f"All on one machine, over loopback; the volume on {chosen.place}. {time.monotonic() - begin:.0f} s in all."
    report.write(chosen.results, "fleet.md", report.document(
        f"A fleet of {chosen.workers} workers that wait", f"Benchmarks/run.sh fleet --workers {chosen.workers}", chosen.programs, sections, [], note))


main()
