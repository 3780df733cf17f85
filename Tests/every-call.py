#!/usr/bin/env python3
"""Kills or freezes a worker at every system call that names or changes a file on the volume or in the workspaces, or sends
to the broker, one run for each call, and says whether each request has exactly its result afterwards.

    Tests/every-call.py                       kill and freeze; requests with a key, without one, signed
    Tests/every-call.py --do kill --kind keyed --every 7
    Tests/every-call.py --do error=EIO        each call fails once
    Tests/every-call.py --do late             each call that changes a name is carried out, and says that it could not be
    Tests/every-call.py --kind deferring      the worker has a long job, and defers the request
    Tests/every-call.py --kind deferred       the worker takes up a request that another has deferred

kill: another worker follows (at every second point: the same one again). freeze: the worker stops for longer than a lease,
another takes over and answers, a second request for the job is sent and begun, and in the middle of that the first thaws (at
every second point, the second request is sent at once, and the first thaws in the middle of the other's attempt). With deferral
there is a second job instead of a second request.

Each run has a folder, a mosquitto and workers of its own, on 127.0.0.1. A table of what failed is printed; exit status 0: nothing
did. Needs Linux on x86_64, mosquitto and its clients, openssl, and MQTT_FS_WORKER or a debug build.
"""
import argparse
import collections
import concurrent.futures
import os
import re
import signal
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "rigs"))
from scene import Scene, Wrong, wait  # noqa: E402

PATIENCE = 120
# The kinds in which a request is deferred.
PASSED_ON = ("deferring", "deferred")


class Successors(threading.Thread):
    """A worker in a restart loop, until it is told to stop."""

    def __init__(self, scene, worker):
        super().__init__(daemon=True)
        self.scene, self.worker, self.stopping, self.wrong, self.lives = scene, worker, False, None, 0
        self.process = None
        self.start()

    def run(self):
        while not self.stopping and not self.scene.over:
            self.lives += 1
            try:
                self.process = self.scene.plain(self.worker)
            except Wrong:
                return
            code = self.process.wait()
            # One that is told to leave in the first moment of its life knows of no TERM yet.
            if code not in (0, -signal.SIGTERM) and not self.stopping:
                self.wrong = self.wrong or f"{self.worker} ended with {code}"
                time.sleep(0.2)

    def restart(self):
        """Ends this life; the next one begins."""
        lives = self.lives
        wait("a life of the successor", 5, lambda: self.process)
        while self.lives == lives:
            self.process.terminate()
            time.sleep(0.1)

    def finish(self):
        self.stopping = True
        wait("a life of the successor", 5, lambda: self.process)
        self.scene.end(self.process, self.worker, (0, -signal.SIGTERM))
        self.join(5)
        if self.wrong:
            raise Wrong(self.wrong)


def settled(scene, count):
    results = scene.results()
    return (
        len(results) >= count and (scene.result() or "manifestFile" not in results[-1]) and not scene.claims()
        and not scene.tickets())


def check_messages(scene, request, most, results):
    """One result for a request, and nothing that contradicts it."""
    if not 1 <= len(results) <= most:
        raise Wrong(f"{len(results)} result messages for {request}, where 1 to {most} are right: {results}")
    if len({(message["status"], message.get("attempt")) for message in results}) != 1:
        raise Wrong(f"different results for one request: {results}")
    if results[0]["status"] != "success":
        raise Wrong(f"the result is {results[0]}")


def disturbed(scene, at, what):
    """The worker is killed, or one of its calls fails."""
    kill = what == "kill"
    scene.make_session("worker-01")
    scene.send("r1")
    first = scene.traced("worker-01", at, what)
    wait("the end of the first worker", PATIENCE, lambda: first.poll() is not None or (not kill and settled(scene, 1)))
    before = scene.result()
    told = len(scene.results())
    runs = len(scene.runs())
    successors = Successors(scene, "worker-01" if kill and at % 2 else "worker-02")
    wait("a result, and the end of claims and tickets", PATIENCE, lambda: settled(scene, 1))
    if not kill:
        scene.end(first, "worker-01", (0,) if what == "late" else (0, 73, 74, 75))
        # Whoever starts on a host clears away what others left there.
        successors.restart()
    wait("the end of workspaces", PATIENCE, lambda: not scene.workspaces_left())
    wait("the end of half files", PATIENCE, lambda: not scene.half_files())
    time.sleep(0.3)
    successors.finish()
    if kill:
        # A message may have been on its way when its sender was killed.
        log = scene.read(f"{scene.root}/mosquitto.log")
        sent = re.search(r"Received PUBLISH from worker-01-control \([^)]*'jobs/results/job'", log)
        check_messages(scene, "r1", 2 if told or (sent and before) else 1, scene.results())
        if before and len(scene.runs()) != runs:
            raise Wrong("it ran again after its result stood")
        scene.check_result("r1")
    elif what == "late":
        check_messages(scene, "r1", 2, scene.results())
        scene.check_result("r1")
    elif len({(message["status"], message.get("attempt")) for message in scene.results()}) != 1:
        # What fails may be what the job needs: then it is answered so.
        raise Wrong(f"different results for one request: {scene.results()}")
    elif scene.results()[0]["status"] not in ("success", "error"):
        raise Wrong(f"the result is {scene.results()[0]}")
    scene.check_leftovers()


def frozen(scene, at, early):
    """The worker stands still while others work on its job and on a second request for it."""
    gate = f"{scene.root}/gate"
    scene.make_session("worker-01")
    scene.send("r1")
    first = scene.traced("worker-01", at, "stop")
    wait("the point", PATIENCE, lambda: first.poll() is not None or len(scene.calls()) >= at)
    wait("the stop", PATIENCE, lambda: first.poll() is not None or is_stopped(scene.traced_pid()))
    told = len(scene.results())
    successors = Successors(scene, "worker-02")
    if not early:
        wait("the result of the first request", PATIENCE, lambda: settled(scene, 1))
    scene.send("r2", env={"HOLD": gate})
    begun = lambda: "second" in scene.read(f"{scene.record}/runs")
    duplicate = lambda: scene.messages_named("duplicate")
    if early:
        deadline = time.monotonic() + scene.lease + 0.3
        wait("a lease", 10, lambda: time.monotonic() > deadline)
    else:
        wait("the beginning of the second request", PATIENCE, lambda: begun() or duplicate())
    if first.poll() is None:
        os.kill(scene.traced_pid(), signal.SIGCONT)
    time.sleep(0.5)
    wait("the end of the first request, or the second's begin", PATIENCE, lambda: begun() or settled(scene, 1) or duplicate())
    open(gate, "w").close()
    wait("an answer to both", PATIENCE, lambda: settled(scene, 1 if duplicate() else 2))
    time.sleep(0.5)
    scene.end(first, "worker-01")
    successors.finish()
    wait("an answer to both", PATIENCE, lambda: settled(scene, 1 if duplicate() else 2))
    check_both(scene, told, bool(duplicate()))
    scene.check_leftovers()


def passed_on(scene, at, what):
    """A request goes from one worker to another over the volume; the one that defers it, or the one that takes it up, is
    disturbed."""
    scene.make_held_job()
    if scene.kind == "deferring":
        scene.make_session("worker-01")
        scene.send("h1", "held")
        first = scene.traced("worker-01", at, what)
    else:
        scene.plain("worker-02")
        wait("the other worker's session", PATIENCE, lambda: scene.subscriptions("worker-02"))
        scene.send("h1", "held")
    reached = lambda: scene.kind == "deferring" and (first.poll() is not None or 0 < at <= len(scene.calls()))
    wait("the beginning of the long job", PATIENCE, lambda: os.path.exists(f"{scene.record}/held") or reached())
    scene.send("r1")
    wait("the deferral", PATIENCE, lambda: scene.tickets() or reached())
    if scene.kind == "deferred":
        first = scene.traced("worker-01", at, what)
    elif not reached():
        scene.open_gate()
    wait("the point", PATIENCE, lambda: first.poll() is not None or 0 < at <= len(scene.calls()))
    successors = Successors(scene, "worker-03")
    if what == "stop" and first.poll() is None:
        wait("the stop", PATIENCE, lambda: is_stopped(scene.traced_pid()))
        # Whoever may remove or take over what the first has begun does it now.
        time.sleep(2 * scene.lease + 0.5)
        os.kill(scene.traced_pid(), signal.SIGCONT)
        time.sleep(0.3)
    scene.open_gate()
    wait("both results, and the end of claims and tickets", PATIENCE, lambda: settled(scene, 1) and scene.messages("jobs/results/held"))
    if what != "kill":
        scene.end(first, "worker-01", (0,) if what in ("stop", "late", "nothing") else (0, 73, 74, 75))
    successors.finish()
    wait("the end of claims and tickets", PATIENCE, lambda: settled(scene, 1))
    results = scene.results()
    if len({(message["status"], message.get("attempt")) for message in results}) != 1 or len(results) > 2:
        raise Wrong(f"the results are {results}")
    if what.startswith("error"):
        return
    if results[0]["status"] != "success" or scene.result("held")["status"] != "success":
        raise Wrong(f"the results are {results[0]}, {scene.result('held')}")
    if scene.kind == "deferring" and len(scene.runs()) != 1:
        raise Wrong(f"the request ran {len(scene.runs())} times")


def check_both(scene, told, duplicate):
    results = scene.results()
    if scene.kind == "keyless":
        keys = list(dict.fromkeys(message["requestId"] for message in results))
    else:
        keys = ["r1", "r2"]
        strange = [message for message in results if message["requestId"] not in keys]
        if strange:
            raise Wrong(f"results of nobody's request: {strange}")
    if len(keys) != 2 and not duplicate:
        raise Wrong(f"results of {len(keys)} requests: {results}")
    for key in keys:
        of = [message for message in results if message["requestId"] == key]
        if not of and duplicate and key != keys[0]:
            continue
        # What the first had told, or had received, before it froze is told, or answered, once more. Never otherwise.
        check_messages(scene, key, 2, of)
    if not duplicate:
        scene.check_result(keys[-1])
        if len(scene.runs(True)) != 1:
            raise Wrong(f"the second request ran {len(scene.runs(True))} times")


def is_stopped(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            # Under the tracer a stopped process is in a tracing stop.
            return file.read().rpartition(")")[2].split()[0] in "tT"
    except FileNotFoundError:
        return True


def play(options, kind, what, at):
    """One run: (what went wrong or None, the call)."""
    scene = None
    call, wrong = "", None
    try:
        scene = Scene(options.worker, kind, options.lease)
        if kind in PASSED_ON:
            passed_on(scene, at, "stop" if what == "freeze" else what)
        elif what == "freeze":
            frozen(scene, at, early=at % 2 == 1)
        else:
            disturbed(scene, at, what)
    except Wrong as error:
        wrong = str(error)
    except Exception:
        wrong = traceback.format_exc()
    if scene:
        calls = scene.calls() if hasattr(scene, "trace") else []
        if at <= len(calls):
            call = " ".join(calls[at - 1][1:]).replace(scene.root + "/", "")
        keep = options.keep and wrong and f"{options.keep}/{kind}-{what.replace('=', '-')}-{at}"
        scene.clear(keep)
        if wrong:
            wrong = wrong.replace(scene.root + "/", "")
    return wrong, call


def count(options, kind, what):
    """How many calls an undisturbed run has."""
    scene = Scene(options.worker, kind, options.lease)
    try:
        if kind in PASSED_ON:
            passed_on(scene, 0, "nothing" if what != "late" else what)
            return len(scene.calls())
        scene.make_session("worker-01")
        scene.send("r1")
        first = scene.traced("worker-01", what=what)
        wait("the end of an undisturbed worker", PATIENCE, lambda: first.poll() is not None)
        scene.check_result("r1")
        scene.check_leftovers()
        return len(scene.calls())
    finally:
        scene.clear()


def leave(*_):
    """Ended by a signal: nothing stays behind."""
    for scene in list(Scene.open):
        scene.clear()
    os._exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", choices=["keyed", "keyless", "signed", *PASSED_ON])
    parser.add_argument("--do", action="append", metavar="kill|freeze|error=NAME|late")
    parser.add_argument("--at", type=int, action="append", help="only these points")
    parser.add_argument("--every", type=int, default=1, help="only every n-th point")
    parser.add_argument("--offset", type=int, default=0, help="begin with this point")
    parser.add_argument("--lease", type=int, default=1, help="in seconds; longer where the machine is busy")
    parser.add_argument("--parallel", type=int, default=12)
    parser.add_argument("--keep", help="a folder for what failing runs leave")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--worker", default=os.environ.get("MQTT_FS_WORKER", f"{here}/../.build/debug/mqtt-fs-worker"))
    options = parser.parse_args()
    options.worker = os.path.realpath(options.worker)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
        for kind in options.kind or ["keyed", "keyless", "signed", *PASSED_ON]:
            for what in options.do or ["kill", "freeze"]:
                failed += sweep(options, pool, kind, what, count(options, kind, what))
    sys.exit(1 if failed else 0)


def sweep(options, pool, kind, what, points):
    """All points of a kind; prints a table of the failed ones, and returns their number."""
    chosen = options.at or range(1 + options.offset, points + 1, options.every)
    runs = {pool.submit(play, options, kind, what, at): at for at in chosen}
    failures = []
    for run in concurrent.futures.as_completed(runs):
        wrong, call = run.result()
        if wrong:
            failures.append((runs[run], call, wrong))
            print(f"FAILED {what} {kind} {runs[run]} at {call or 'no such call'}: {wrong}", flush=True)
    passed = len(runs) - len(failures)
    print(f"{what}, {kind}: {len(runs)} of {points} points, {passed} passed, {len(failures)} failed", flush=True)
    for (call, wrong), number in collections.Counter((c.split(" ")[0], w.split(":")[0]) for _, c, w in failures).items():
        print(f"  {number:4} {call:16} {wrong}", flush=True)
    return len(failures)


if __name__ == "__main__":
    main()
