"""The log of a step that writes much, beside what a shell would do with its output."""

import json
import os
import subprocess
import time

from figures import Figures, in_turn
from report import OURS

MODES = {"blocks": "1 GiB in blocks of 64 KiB", "lines": "1 GiB in lines of 80 bytes", "small": "1,000,000 writes of 19 bytes"}
FILE, CAT = "> file", "| cat > file"


def run(scene, mode, rounds):
    figures = {tool: Figures() for tool in (CAT, FILE, OURS)}
    writer = scene.program("writer")

    def turn(tool):
        if tool == OURS:
            figures[tool].add(ours(scene, f"exec {writer} {mode}"))
            return
        path = f"{scene.place}/log"
        redirection = f"exec {writer} {mode} >{path}" if tool == FILE else f"{writer} {mode} | cat >{path}"
        begin = time.monotonic()
        subprocess.run(["sh", "-c", redirection], check=True)
        figures[tool].add(time.monotonic() - begin)
        os.remove(path)

    in_turn(figures, rounds, turn)
    return figures


def ours(scene, step):
    """The step's own time, from its start until its log is complete."""
    name = scene.job(step)
    payload = f"{scene.place}/payload.json"
    with open(payload, "w") as request:
        json.dump({"id": name}, request)
    command = [scene.program("mqtt-fs-worker"), "--dry-run", "--payload", payload, "-j", scene.jobs, "-w",
               scene.workspaces, "--max-log-bytes", str(2 << 30), "--log-level", "error"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=scene.environment)
    with open(f"{scene.jobs}/{name}/results/result.json") as result:
        step = json.load(result)["steps"][0]
    assert not step.get("logDropped") and os.path.getsize(f"{scene.jobs}/{name}/results/step_0.log") == step["logBytes"]
    scene.forget(name)
    return step["durationMs"] / 1000
