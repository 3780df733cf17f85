#!/usr/bin/env python3
"""Makes a volume for the board: realistic jobs, running and waiting ones, and hostile ones.

Usage: volume.py FOLDER [--finished N] [--hostile]
"""

import argparse
import json
import os
import pathlib
import random
import time

NAMES = ["nightly-build", "render", "import-orders", "train-classifier", "thumbnail", "report", "backup-db", "lint",
         "release", "transcode", "index-search", "e2e-tests"]
STEPS = {
    "nightly-build": ["fetch dependencies", "compile", "run unit tests", "package"],
    "render": ["unpack scene", "render frames", "encode"],
    "train-classifier": ["prepare data", "train", "evaluate", "export model"],
}
WORKERS = [f"worker-{n:02}" for n in range(1, 9)]
PROCESS = {"host": "build-a", "bootId": "b", "pid": 1, "startTime": "1", "pidNamespace": "n"}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % (seconds % 1 * 1000)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, (dict, list)):
        text = json.dumps(text)
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text)


def steps_of(kind):
    return STEPS.get(kind, ["prepare", "run", "collect"])


def result(name, kind, end, rng, status, error=None, **more):
    steps = []
    took = 0
    failed = status in ("failed", "timeout", "canceled")
    for index, step in enumerate(steps_of(kind)):
        last = failed and index == 1
        skipped = failed and index > 1
        ms = 0 if skipped else rng.randrange(300, 240_000)
        took += ms
        steps.append({
            "index": index, "name": step, "command": f"./{step.replace(' ', '-')}.sh",
            "status": "skipped" if skipped else (status if last else "success"),
            "exitCode": None if skipped else (1 if last else 0), "durationMs": ms,
            "log": None if skipped else f"results/step_{index}.log", "logBytes": 0 if skipped else rng.randrange(90_000),
            "logDropped": 0, "timedOut": last and status == "timeout", "endedProcesses": 0, "killed": False,
            "usage": None if skipped else {"userMs": ms // 2, "systemMs": ms // 20, "maxRssBytes": rng.randrange(20, 900) << 20}})
    value = {
        "schema": 1, "jobId": name, "status": status, "exitCode": 1 if failed else 0,
        "timing": {"start": stamp(end - took / 1000), "end": stamp(end), "durationMs": took, "stageMs": 140,
                   "runMs": took - 200, "syncMs": 60},
        "steps": steps, "attempt": 1, "workerId": rng.choice(WORKERS), "workerVersion": "0.1.0", "host": "build-a",
        "artifacts": [{"path": f"dist/{kind}-{n}.tar.gz", "size": rng.randrange(2000, 90_000_000), "mode": "0644",
                       "sha256": "%064x" % rng.getrandbits(256), "change": "new"} for n in range(rng.randrange(1, 4))],
        "deleted": [], "skipped": [],
        "usage": {"userMs": took // 2, "systemMs": took // 20, "maxRssBytes": 700 << 20}}
    if error:
        value["error"] = error
    value.update(more)
    return value


def finished(root, count, now, rng):
    statuses = ["success"] * 86 + ["failed"] * 8 + ["timeout"] * 2 + ["canceled"] * 2 + ["error", "lost"]
    errors = {"failed": "step 1 (compile) failed with exit code 1", "timeout": "step 1 took longer than its timeout of 10m",
              "canceled": "the job was canceled", "error": "staging: /jobs is full; free some space",
              "lost": "worker-03 died in attempt 3 of 3"}
    for number in range(count):
        kind = rng.choice(NAMES)
        name = f"{kind}-{20_000 - number}"
        status = rng.choice(statuses)
        value = result(name, kind, now - 40 - number * 61, rng, status, errors.get(status))
        write(root / name / "results/result.json", value)


def claim(root, name, worker, attempt=1, steps=None):
    payload = {"id": name}
    write(root / f".worker/claims/{name}.{attempt}.json", {
        "id": name, "attempt": attempt, "worker": worker, "process": PROCESS, "filter": "jobs/pending",
        "envelope": {"payload": json.dumps(payload), "topic": "jobs/pending", "requestId": name}})


def running(root, name, kind, worker, at, log, attempt=1):
    steps = steps_of(kind)
    write(root / name / "job.json", {"steps": [{"name": step, "run": "true"} for step in steps]})
    for index in range(at):
        write(root / name / f"results/step_{index}.log", "done\n")
    write(root / name / f"results/step_{at}.log", log)
    claim(root, name, worker, attempt)
    # results/ is made when the attempt starts.
    begun = time.time() - {"nightly-build": 148, "render": 1312, "train-classifier": 9130}[kind]
    os.utime(root / name, (begun, begun))


def members(root):
    for worker in WORKERS:
        write(root / f".worker/members/{worker}.json", {
            "worker": worker, "clientId": worker, "filter": "$share/build/jobs/pending", "broker": "broker:1883",
            "process": dict(PROCESS, host="build-" + "abcd"[int(worker[-1]) % 4]), "state": "present"})


def life(root, now):
    """What happens at the moment."""
    lines = "".join(f"[{n:>4}/2400] Compiling Swift module Renderer ({n % 37} files)\n" for n in range(1, 1432))
    running(root, "nightly-build-20018", "nightly-build", "worker-01", 1,
            lines + "\x1b[33mwarning:\x1b[0m variable 'frame' was never mutated\n")
    running(root, "render-20017", "render", "worker-04", 1, "frame 0712 of 1200: 1.84 s\nframe 0713 of 1200: 1.79 s\n")
    running(root, "train-classifier-20011", "train-classifier", "worker-06", 1,
            "epoch 14/40  loss 0.2214  accuracy 0.931\nepoch 15/40  loss 0.2167  accuracy 0.934\n", attempt=2)
    for number, name in enumerate(["e2e-tests-20019", "import-orders-20020"]):
        write(root / name / "job.json", {"steps": ["true"]})
        instant = int((now - 75 + number * 20) * 1e9)
        write(root / f".worker/waiting/%24share%2Fbuild%2Fjobs%2Fpending/{instant}-{name}.json",
              {"payload": "{}", "topic": "jobs/pending", "requestId": name})
    write(root / "release-20021/job.json", {"steps": ["make release"], "requireApproval": True})
    write(root / f".worker/parked/jobs%2Fpending/{int((now - 600) * 1e9)}-release-20021.json",
          {"payload": "{}", "topic": "jobs/pending", "requestId": "release"})
    write(root / "backup-db-20022/job.json", {"steps": ["./backup.sh"]})


def one_failed(root, now, rng):
    """A job with all that the page of one job shows."""
    name = "nightly-build-20016"
    value = result(name, "nightly-build", now - 95, rng, "failed", "step 2 (run unit tests) failed with exit code 1")
    for index, status in enumerate(["success", "success", "failed", "skipped"]):
        step = value["steps"][index]
        step.update(status=status, exitCode=[0, 0, 1, None][index], log=f"results/step_{index}.log" if index < 3 else None,
                    durationMs=[8_200, 141_700, 36_400, 0][index])
    value["steps"][2]["tries"] = 2
    value["timing"].update(start=stamp(now - 95 - 187), durationMs=187_000, runMs=186_300, stageMs=410, syncMs=290)
    value["outputs"] = {"version": "2.14.0-rc.3", "coverage": "81.4 %", "commit": "9f2c1e7"}
    value["caches"] = [{"key": "swiftpm", "hit": "exact", "bytes": 412_000_000, "restoreMs": 380, "saved": False}]
    value["artifacts"] = [
        {"path": "reports/junit.xml", "size": 48_211, "mode": "0644", "sha256": "0" * 64, "change": "new"},
        {"path": "reports/coverage/index.html", "size": 9_120, "mode": "0644", "sha256": "0" * 64, "change": "new"},
        {"path": "build/renderer", "size": 18_422_120, "mode": "0755", "sha256": "0" * 64, "change": "modified"}]
    write(root / name / "results/result.json", value)
    for artifact in value["artifacts"]:
        write(root / name / "results" / artifact["path"], "content\n")
    write(root / name / "results/step_0.log", "Fetching https://github.com/apple/swift-system\n")
    write(root / name / "results/step_1.log", "Build complete! (141.70s)\n")
    tests = "".join(f"\x1b[32m✔\x1b[0m Test frameIsDrawnOnce{n}() passed after 0.0{n % 10} seconds.\n" for n in range(180))
    write(root / name / "results/step_2.log", tests
          + "\x1b[31m✘\x1b[0m Test shadowsFollowTheLight() recorded an issue at ShadowTests.swift:41:5: "
          + "Expectation failed: (shadow.angle → 31.5) == (light.angle → 30.0)\n"
          + "\x1b[31m✘\x1b[0m Test run with 181 tests failed after 36.4 seconds with 1 issue.\n")


HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def hostile(root, now, rng):
    """Names, logs and files that want to be more than text."""
    text = HOSTILE + "\u202egnp.exe\x07\x1b]0;owned\x07\x1b[2J\u2028"
    value = result("hostile", "lint", now - 5, rng, "failed", text)
    value["steps"][0].update(name=text, command=text)
    value["steps"][1].update(name="<b>" * 100, command="x" * 100_000)
    value["outputs"] = {text: text, "javascript:document.title='owned'": "javascript:document.title='owned'"}
    value["workerId"] = HOSTILE
    value["host"] = HOSTILE
    value["workerVersion"] = HOSTILE
    value["reason"] = HOSTILE
    value["artifacts"] = [
        {"path": path, "size": 1, "mode": "0644", "sha256": None, "change": "new"}
        for path in [HOSTILE.replace("/", "∕"), "evil.html", "line\nbreak\r\nX-Header: owned", "\u202egnp.exe",
                     "../../../../etc/passwd", "/etc/passwd", "a" * 250, "javascript:document.title='owned'", "evil.svg",
                     "link", "fifo", "quote\"; filename=\"evil.exe"]]
    results = root / "hostile/results"
    write(results / "result.json", value)
    write(results / "evil.html", "<!doctype html><script>document.title='owned'</script>")
    write(results / "evil.svg", "<svg xmlns='http://www.w3.org/2000/svg' onload=\"document.title='owned'\"/>")
    for path in ["line\nbreak\r\nX-Header: owned", "\u202egnp.exe", "a" * 250, "quote\"; filename=\"evil.exe"]:
        write(results / path, "x")
    os.symlink("/etc/passwd", results / "link")
    os.mkfifo(results / "fifo")
    write(results / "step_0.log", (text + "\n") * 50 + "\r\n\x00\x01\x9b31m" + "wide " * 20_000 + "\n" + "</pre>" + HOSTILE)
    write(results / "step_1.log", bytes(range(256)) * 400)
    write(root / "broken/results/result.json", "{\"schema\": 1, \"jobId\": \"broken\"" + "[" * 50_000)
    write(root / "huge/results/result.json", "{\"jobId\": \"huge\"," + " " * (20 << 20) + "}")
    write(root / "deep/job.json", "[" * 100_000)
    os.symlink("/etc", root / "linked")
    os.mkfifo(root / "pipe")
    (root / "resultsfifo/results").mkdir(parents=True)
    os.mkfifo(root / "resultsfifo/results/result.json")
    write(root / f".worker/members/{'m' * 40}.json", {
        "worker": "m" * 40, "clientId": HOSTILE, "filter": HOSTILE, "broker": HOSTILE,
        "process": dict(PROCESS, host=HOSTILE), "state": "present"})
    write(root / "hostile-run/job.json", {"steps": [{"name": text, "run": "true"}, text], "env": {"TOKEN": "secret-value"}})
    write(root / "hostile-run/results/step_0.log", text)
    claim(root, "hostile-run", HOSTILE)
    write(root / "evil\n<script>", "not a job")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--finished", type=int, default=300)
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    rng = random.Random(1)
    now = time.time()
    options.folder.mkdir(parents=True, exist_ok=True)
    finished(options.folder, options.finished, now, rng)
    members(options.folder)
    life(options.folder, now)
    one_failed(options.folder, now, rng)
    if options.hostile:
        hostile(options.folder, now, rng)


if __name__ == "__main__":
    main()
